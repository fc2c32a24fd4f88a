/* crc: eight bytes an instruction, or half a byte a look-up. */
#include "base/crc.h"

#include <string.h>

#if defined(__x86_64__)
#include <sys/platform/x86.h>
#endif

uint32_t orr_crc32c_portable(uint32_t crc, const void *bytes, size_t n)
{
    static const uint32_t half[16] = {
        0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3,
        0x61C69362, 0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
        0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75};
    const unsigned char *p = bytes;
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ half[crc & 15];
        crc = crc >> 4 ^ half[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *p, size_t n)
{
    uint64_t c = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        c = __builtin_ia32_crc32di(c, w);
    }
    uint32_t c4 = (uint32_t)c;
    for (; n; p++, n--)
        c4 = __builtin_ia32_crc32qi(c4, *p);
    return ~c4;
}

/* libc knows what the processor can do since it was loaded; the compiler's
 * __builtin_cpu_supports asks the processor anew at each start, which a virtual
 * machine answers in dozens of microseconds. */
uint32_t orr_crc32c(uint32_t crc, const void *bytes, size_t n)
{
    if (CPU_FEATURE_ACTIVE(SSE4_2))
        return by_instruction(crc, bytes, n);
    return orr_crc32c_portable(crc, bytes, n);
}

#else

uint32_t orr_crc32c(uint32_t crc, const void *bytes, size_t n)
{
    return orr_crc32c_portable(crc, bytes, n);
}

#endif
