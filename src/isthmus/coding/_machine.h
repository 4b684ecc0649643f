/* Types, and what differs between compilers: of all compiled modules. */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;

/* The loops are compiled for processors with AVX2 as well, and the right ones are chosen where they run. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define VECTORISED
#endif
/* What such a loop calls for each bit is part of it, so that it is compiled for the same processor. */
#if defined(__GNUC__)
#define INLINED static inline __attribute__((always_inline))
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define INLINED static inline
#define PREFETCH(address)
#endif
