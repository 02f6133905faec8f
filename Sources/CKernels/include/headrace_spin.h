/* A word that one thread changes and another waits for, for some microseconds, before it goes to sleep.
 *
 * A thread that sleeps between two short loops is woken late, and often on the core of the thread that woke it. Waiting
 * a little while keeps it on a core of its own. Who needs certainty asks again under the lock that guards the word.
 */
#ifndef HEADRACE_SPIN_H
#define HEADRACE_SPIN_H

#include <stdint.h>

/* Reads `word` up to `turns` times, with the processor's pause in between; 1 as soon as it is not `value`, else 0. */
int32_t headrace_spin_while(const uint64_t *word, uint64_t value, uint32_t turns);

/* Reads `word` up to `turns` times likewise; 1 as soon as it is `value`, else 0. */
int32_t headrace_spin_until(const uint64_t *word, uint64_t value, uint32_t turns);

/* Sets `word`, for readers that do not hold the lock. Writers hold it. */
void headrace_publish(uint64_t *word, uint64_t value);

#endif
