/* crc: CRC-32C (Castagnoli), by the processor's instruction where it has one.
 * Detects torn and flipped bytes; it is no defence against people. */
#ifndef ORR_BASE_CRC_H
#define ORR_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Continues 'crc' (0 to begin) over 'n' bytes. Feeding a text in pieces gives
 * the same value as feeding it whole. */
uint32_t orr_crc32c(uint32_t crc, const void *bytes, size_t n);

/* The same value without the instruction: for tests and other processors. */
uint32_t orr_crc32c_portable(uint32_t crc, const void *bytes, size_t n);

#endif
