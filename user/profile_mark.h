// Marks for QEMU's plugins: instructions that do nothing (SLTI to register zero is a HINT, RISC-V
// unprivileged ISA 2.9). `make profile` counts the instructions that a hart executes between
// PROFILE_BEGIN and PROFILE_END. The frames plugin sees at FRAME_BEGIN where a frame begins.

#ifndef RINGFENCE_PROFILE_MARK_H
#define RINGFENCE_PROFILE_MARK_H

#define PROFILE_BEGIN 0x00102013 // slti zero, zero, 1
#define PROFILE_END 0x00202013   // slti zero, zero, 2
#define FRAME_BEGIN 0x5f102013   // slti zero, zero, 0x5f1

// Executes a mark: PROFILE_MARK(PROFILE_BEGIN);
#define PROFILE_MARK(instruction) asm volatile(".4byte %0" : : "i"(instruction))

#endif
