/* How the threads of a program wait for work, and on which processors they run. */
#ifndef OX_TEAM_H
#define OX_TEAM_H

/* To call before work that uses threads: starts the program again, once, since OpenMP reads its settings before main(). Threads that wait look for
 * new work for some microseconds, then sleep: to wake one takes longer than most operators. Where other processes run, or make gives tokens, they
 * sleep at once. What the user has set in the environment stays. Where it is not possible nothing happens. */
void team_settle(char **argv);
/* N threads are going to work: each gets a processor of its own, other than the caller's. Nothing when processors are short, or other processes run. */
void team_spread(int n);
/* For who starts other programs, or threads beside the team: these would have the processors of the caller alone. Threads are not spread then. */
void team_stay(void);

#endif
