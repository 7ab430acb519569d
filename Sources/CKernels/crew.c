// The threads that kernels are spread over: made when they are first needed, asleep when there is nothing to do.

#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#endif

#include "CKernels.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/// What a member of the crew is about.
enum { RESTS, INVITED, WORKS };

typedef struct {
  pthread_t thread;
  atomic_int state;
  pthread_mutex_t lock;
  pthread_cond_t invited, finished;
  void (*work)(void *context);
  void *context;
} member;

#define MOST_MEMBERS 1023
static member *members[MOST_MEMBERS];
static int64_t count;
/// Held by whoever the crew works for.
static pthread_mutex_t crew = PTHREAD_MUTEX_INITIALIZER;

/// How often somebody looks again before going to sleep: some ten microseconds, since one kernel follows another.
#define LOOKS 2000

static inline void look_again(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Until the member's state is (or is not) the given one.
static void wait_for(member *m, pthread_cond_t *news, int state, int is_wanted) {
  for (int look = 0; look < LOOKS; look++) {
    if ((atomic_load_explicit(&m->state, memory_order_acquire) == state) == is_wanted) return;
    look_again();
  }
  pthread_mutex_lock(&m->lock);
  while ((atomic_load_explicit(&m->state, memory_order_acquire) == state) != is_wanted) {
    pthread_cond_wait(news, &m->lock);
  }
  pthread_mutex_unlock(&m->lock);
}

static int changes(member *m, int from, int to) { return atomic_compare_exchange_strong(&m->state, &from, to); }

static void *live(void *argument) {
  member *m = argument;
  for (;;) {
    wait_for(m, &m->invited, INVITED, 1);
    if (!changes(m, INVITED, WORKS)) continue;  // too late: the work is done
    m->work(m->context);
    pthread_mutex_lock(&m->lock);
    atomic_store_explicit(&m->state, RESTS, memory_order_release);
    pthread_cond_signal(&m->finished);
    pthread_mutex_unlock(&m->lock);
  }
  return NULL;
}

/// A new member; NULL if the system has none to give.
static member *hired(void) {
  member *m = calloc(1, sizeof(member));
  if (!m) return NULL;
  pthread_mutex_init(&m->lock, NULL);
  pthread_cond_init(&m->invited, NULL);
  pthread_cond_init(&m->finished, NULL);
  if (pthread_create(&m->thread, NULL, live, m)) {
    free(m);
    return NULL;
  }
  pthread_detach(m->thread);
  return m;
}

/// Gives each member a processor of its own, none of them the caller's. Left alone, Linux on a virtual machine takes idle
/// processors for preempted ones, and lets two threads share one for many milliseconds.
static void spread(int64_t helpers) {
#if defined(__linux__)
  static int here = -1;  // where the caller was when the members were placed
  static int64_t placed;
  const int now = sched_getcpu();
  if (now == here && placed >= helpers) return;
  cpu_set_t allowed;
  if (now < 0 || sched_getaffinity(0, sizeof(allowed), &allowed) || CPU_COUNT(&allowed) <= helpers) return;
  int processor = now;
  for (int64_t i = 0; i < helpers; i++) {
    do {
      processor = (processor + 1) % CPU_SETSIZE;
    } while (!CPU_ISSET(processor, &allowed) || processor == now);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    pthread_setaffinity_np(members[i]->thread, sizeof(one), &one);
  }
  here = now;
  placed = helpers;
#else
  (void)helpers;
#endif
}

void v4_run(int64_t threads, void (*work)(void *context), void *context) {
  if (threads < 2 || pthread_mutex_trylock(&crew)) {
    work(context);
    return;
  }
  int64_t helpers = threads - 1 < MOST_MEMBERS ? threads - 1 : MOST_MEMBERS;
  while (count < helpers && (members[count] = hired())) count++;
  if (helpers > count) helpers = count;
  spread(helpers);
  for (int64_t i = 0; i < helpers; i++) {
    member *m = members[i];
    m->work = work;
    m->context = context;
    pthread_mutex_lock(&m->lock);
    atomic_store_explicit(&m->state, INVITED, memory_order_release);
    pthread_cond_signal(&m->invited);
    pthread_mutex_unlock(&m->lock);
  }
  work(context);
  for (int64_t i = 0; i < helpers; i++) {
    if (!changes(members[i], INVITED, RESTS)) wait_for(members[i], &members[i]->finished, WORKS, 0);
  }
  pthread_mutex_unlock(&crew);
}
