#ifndef CALLOCATIONCOUNT_H
#define CALLOCATIONCOUNT_H
#include <stdint.h>

/// Heap allocations of the whole process so far: calls of malloc, calloc, realloc, aligned_alloc and posix_memalign.
uint64_t allocation_count(void);

#endif
