/* Text. */
#include "op/op.h"

OX_FAMILY(string, "",
    OP("StringConcat", 20,
       "(T X, T Y) => (T Z) T: string"),
    OP("StringSplit", 20,
       "<delimiter: string?, maxsplit: int?>(T1 X) => (T2 Y, T3 Z) T1: string, T2: string, T3: int64"),
    OP("StringNormalizer", 10,
       "<case_change_action: string = \"NONE\", is_case_sensitive: int = 0, locale: string?, stopwords: "
       "strings?>(string X) => (string Y)"),
    OP("RegexFullMatch", 20,
       "<pattern: string?>(T1 X) => (T2 Y) T1: string, T2: bool"),
    OP("TfIdfVectorizer", 9,
       "<max_gram_length: int, max_skip_count: int, min_gram_length: int, mode: string, ngram_counts: "
       "ints, ngram_indexes: ints, pool_int64s: ints?, pool_strings: strings?, weights: floats?>(T X) "
       "=> (T1 Y) T: int32|int64|string, T1: float"));
