/*
 * job: what a loop's children have in common towards the system: the orphans
 * they leave, the terminal's foreground group, and ^Z. Internal to the engine.
 *
 * ^Z while we are in the foreground reaches warden and engine, not the
 * children, which have groups of their own: the engine stops them, then itself,
 * and on SIGCONT continues them with their deadlines moved. ^Z while a tty step
 * is in the foreground stops that step only: the engine takes the terminal back
 * and stops the whole job, as a shell would see it. The kernel refuses to stop
 * a job that no shell could continue; then everything goes on.
 */
#ifndef ORR_ENGINE_JOB_H
#define ORR_ENGINE_JOB_H

#include "engine/child.h"

struct orr_job;

/* Before a child is started: makes the loop's job on first use, and opens the
 * terminal into c->tty when 'tty' and there is one. True when the child may
 * have the foreground: we have it ourselves. */
bool orr_job_prepare(struct orr_loop *loop, struct orr_child *c, bool tty);

/* The child runs / was reaped. Leave takes the terminal back. */
void orr_job_enter(struct orr_child *c);
void orr_job_leave(struct orr_child *c);

/* NULL is fine. */
void orr_job_free(struct orr_job *job);

#endif
