/* Make's jobserver as a source of threads. */
#ifndef OX_JOBSERVER_H
#define OX_JOBSERVER_H

/* How many threads to use where there are so many processors: for ox_ctx.on_threads. Takes tokens. */
int jobserver_threads(void *user, int processors);
/* Gives the tokens back. May be called in a signal handler, and more than once. */
void jobserver_release(void);

#endif
