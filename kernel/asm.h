// Numbers that assembly and C share. proc.c checks that the offsets match the structures.

#ifndef RINGFENCE_ASM_H
#define RINGFENCE_ASM_H

#ifdef __ASSEMBLER__
#define DIRECT_MAP 0xffffffc000000000
#define SATP_SV39 (8 << 60)
#define PTE_EARLY 0xcf // valid, readable, writable, executable, accessed, dirty
#endif

// Offsets in struct trap_frame (proc.h).
#define FRAME_PC 0
#define FRAME_RA 8
#define FRAME_SP 16
#define FRAME_GP 24
#define FRAME_TP 32
#define FRAME_T0 40
#define FRAME_S0 64
#define FRAME_A0 80
#define FRAME_S2 144
#define FRAME_T3 224
#define FRAME_HART 256
#define FRAME_SIZE 272

// Offsets in struct hart (proc.h).
#define HART_PANIC_STACK 0
#define HART_BOOT_STACK 8
#define HART_ID 16
#define HART_SIZE 88

#endif
