/* Text files that are part of the programs; made by embed.c when building. */
#ifndef OX_EMBEDDED_H
#define OX_EMBEDDED_H

typedef struct ox_embedded { const char *name, *text; } ox_embedded;
extern const ox_embedded ox_embedded_profiles[]; /* profiles/NAME.yaml */
extern const ox_embedded ox_embedded_rules[];    /* passes/rules/NAME.rules */

#endif
