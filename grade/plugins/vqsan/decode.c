// Decodes RV64IMAC. decode.h is the contract. Chapter numbers refer to the unprivileged ISA manual.

#include "grade/plugins/vqsan/decode.h"

// Bits high..low of a word.
static uint32_t bits(uint32_t word, unsigned high, unsigned low)
{
    return word >> low & ((2u << (high - low)) - 1);
}

static int32_t sign_extend(uint32_t value, unsigned width)
{
    return (int32_t)(value << (32 - width)) >> (32 - width);
}

static uint32_t bit(unsigned reg)
{
    return 1u << reg;
}

static struct insn compute(unsigned rd, uint32_t reads)
{
    return (struct insn){.kind = INSN_OTHER, .rd = rd, .reads = reads};
}

static struct insn load(unsigned rd, unsigned base, unsigned bytes)
{
    return (struct insn){.kind = INSN_LOAD, .rd = rd, .base = base, .bytes = bytes};
}

static struct insn store(unsigned source, unsigned base, unsigned bytes)
{
    return (struct insn){.kind = INSN_STORE, .source = source, .base = base, .bytes = bytes};
}

static struct insn branch(int32_t offset)
{
    return (struct insn){.kind = INSN_BRANCH, .offset = offset};
}

// ---- 32 bits wide ----

static int32_t branch_offset(uint32_t w)
{
    return sign_extend(bits(w, 31, 31) << 12 | bits(w, 7, 7) << 11 | bits(w, 30, 25) << 5 |
                           bits(w, 11, 8) << 1,
                       13);
}

static int32_t jump_offset(uint32_t w)
{
    return sign_extend(bits(w, 31, 31) << 20 | bits(w, 19, 12) << 12 | bits(w, 20, 20) << 11 |
                           bits(w, 30, 21) << 1,
                       21);
}

static struct insn fence(uint32_t w)
{
    struct insn insn = {.kind = INSN_FENCE, .pred = bits(w, 27, 24), .succ = bits(w, 23, 20)};
    if (bits(w, 14, 12) == 1)
        return (struct insn){.kind = INSN_FENCE_I};
    // fm 8 with rw,rw is fence.tso. Other modes are reserved: treat them as an ordinary fence.
    insn.tso = bits(w, 31, 28) == 8 && insn.pred == (ORDER_R | ORDER_W) &&
               insn.succ == (ORDER_R | ORDER_W);
    return insn;
}

static struct insn atomic(uint32_t w)
{
    struct insn insn = {
        .kind = INSN_AMO,
        .rd = bits(w, 11, 7),
        .base = bits(w, 19, 15),
        .source = bits(w, 24, 20),
        .aq = bits(w, 26, 26),
        .rl = bits(w, 25, 25),
    };
    if (bits(w, 31, 27) == 2)
        insn.kind = INSN_LR;
    if (bits(w, 31, 27) == 3)
        insn.kind = INSN_SC;
    return insn;
}

static struct insn decode_wide(uint32_t w)
{
    unsigned rd = bits(w, 11, 7), rs1 = bits(w, 19, 15), rs2 = bits(w, 24, 20);
    struct insn insn;
    switch (bits(w, 6, 0)) {
    case 0x03:
        insn = load(rd, rs1, 1u << bits(w, 13, 12));
        insn.below = bits(w, 31, 31);
        return insn;
    case 0x23:
        insn = store(rs2, rs1, 1u << bits(w, 13, 12));
        insn.below = bits(w, 31, 31);
        return insn;
    case 0x0f:
        return fence(w);
    case 0x2f:
        return atomic(w);
    case 0x63:
        return branch(branch_offset(w));
    case 0x6f: // jal
        insn = branch(jump_offset(w));
        insn.rd = rd;
        return insn;
    case 0x13: // with an immediate
    case 0x1b:
        return compute(rd, bit(rs1));
    case 0x33: // of two registers
    case 0x3b:
        return compute(rd, bit(rs1) | bit(rs2));
    case 0x17: // auipc
    case 0x37: // lui
    case 0x67: // jalr
        return compute(rd, 0);
    case 0x73:
        if (w == 0x10500073)
            return (struct insn){.kind = INSN_WFI};
        return compute(rd, 0); // a CSR's value depends on no load
    default:
        return (struct insn){.kind = INSN_OTHER};
    }
}

// ---- 16 bits wide: the C extension ----

// Three bits name one of the registers x8 to x15.
static unsigned short_reg(uint32_t w, unsigned low)
{
    return 8 + bits(w, low + 2, low);
}

static int32_t short_jump_offset(uint32_t w)
{
    return sign_extend(bits(w, 12, 12) << 11 | bits(w, 8, 8) << 10 | bits(w, 10, 9) << 8 |
                           bits(w, 6, 6) << 7 | bits(w, 7, 7) << 6 | bits(w, 2, 2) << 5 |
                           bits(w, 11, 11) << 4 | bits(w, 5, 3) << 1,
                       12);
}

static int32_t short_branch_offset(uint32_t w)
{
    return sign_extend(bits(w, 12, 12) << 8 | bits(w, 6, 5) << 6 | bits(w, 2, 2) << 5 |
                           bits(w, 11, 10) << 3 | bits(w, 4, 3) << 1,
                       9);
}

static struct insn decode_quadrant_0(uint32_t w)
{
    unsigned value = short_reg(w, 2), base = short_reg(w, 7);
    switch (bits(w, 15, 13)) {
    case 0: // c.addi4spn
        return compute(value, bit(2));
    case 2: // c.lw
        return load(value, base, 4);
    case 3: // c.ld
        return load(value, base, 8);
    case 4: // Zcb: c.lbu, c.lhu, c.lh; c.sb, c.sh
        return bits(w, 11, 11) ? store(value, base, 1 + bits(w, 10, 10))
                               : load(value, base, 1 + bits(w, 10, 10));
    case 6: // c.sw
        return store(value, base, 4);
    case 7: // c.sd
        return store(value, base, 8);
    default:
        return (struct insn){.kind = INSN_OTHER};
    }
}

static struct insn decode_quadrant_1(uint32_t w)
{
    unsigned rd = bits(w, 11, 7), low = short_reg(w, 7);
    switch (bits(w, 15, 13)) {
    case 0: // c.addi
    case 1: // c.addiw
        return compute(rd, bit(rd));
    case 3: // c.addi16sp, c.lui
        return compute(rd, rd == 2 ? bit(2) : 0);
    case 4: // c.srli, c.srai, c.andi; c.sub ... of two registers
        return compute(low, bit(low) | (bits(w, 11, 10) == 3 ? bit(short_reg(w, 2)) : 0));
    case 5: // c.j
        return branch(short_jump_offset(w));
    case 6: // c.beqz
    case 7: // c.bnez
        return branch(short_branch_offset(w));
    default: // c.li
        return compute(rd, 0);
    }
}

static struct insn decode_quadrant_2(uint32_t w)
{
    unsigned rd = bits(w, 11, 7), rs2 = bits(w, 6, 2);
    switch (bits(w, 15, 13)) {
    case 0: // c.slli
        return compute(rd, bit(rd));
    case 2: // c.lwsp
        return load(rd, 2, 4);
    case 3: // c.ldsp
        return load(rd, 2, 8);
    case 4: // c.jr, c.jalr, c.ebreak; c.mv; c.add
        if (rs2 == 0)
            return compute(bits(w, 12, 12) && rd ? 1 : 0, 0);
        return compute(rd, bit(rs2) | (bits(w, 12, 12) ? bit(rd) : 0));
    case 6: // c.swsp
        return store(rs2, 2, 4);
    case 7: // c.sdsp
        return store(rs2, 2, 8);
    default:
        return (struct insn){.kind = INSN_OTHER};
    }
}

struct insn decode(uint32_t word)
{
    struct insn insn;
    switch (word & 3) {
    case 0:
        insn = decode_quadrant_0(word);
        break;
    case 1:
        insn = decode_quadrant_1(word);
        break;
    case 2:
        insn = decode_quadrant_2(word);
        break;
    default:
        insn = decode_wide(word);
    }
    insn.reads &= ~1u; // x0 depends on nothing
    return insn;
}
