import { describe, expect, it, vi } from 'vitest';
import { describeMap, rc, reg16, reg32, reg8, RegisterBank, ro, rw, w1c, w1s, wo } from './index.ts';

const MAP = {
  status: reg16(0x0, { timer: w1c(0), button: w1c(8) }),
  enable: reg16(0x2, { timer: rw(0), button: rw(8) }),
  control: reg16(0x4, { enable: rw(0, 1, 1), type: rw(10, 3), go: wo(13) }),
  identity: reg32(0x8, { id: ro(0, 32, 0xcafe_f00d) }),
  events: reg8(0xc, { seen: rc(0, 4, 0xf) }),
  doorbell: reg8(0xd, { ring: w1s(7) }),
};

describe('RegisterBank', () => {
  it.each([
    { what: 'read-write bits', offset: 2, size: 2, write: 0xffff, read: 0x0101 },
    { what: 'a byte of a wider register', offset: 3, size: 1, write: 0xff, read: 0x01 },
    { what: 'read-only fields', offset: 8, size: 4, write: 0, read: 0xcafe_f00d },
    { what: 'write-only fields as zero', offset: 4, size: 2, write: 0x2000, read: 0 },
    { what: 'reserved space', offset: 6, size: 2, write: 0xffff, read: 0 },
    { what: 'beyond the end', offset: 0x40, size: 4, write: 0xffff, read: 0 },
    { what: 'write one to set', offset: 0xd, size: 1, write: 0x80, read: 0x80 },
  ])('reads back $what', ({ offset, size, write, read }) => {
    const bank = new RegisterBank(MAP);
    bank.guestWrite(offset, size, write);
    expect(bank.guestRead(offset, size)).toBe(read);
  });

  it('clears status bits where a one is written', () => {
    const bank = new RegisterBank(MAP);
    bank.setField('status', 'timer', 1);
    bank.setField('status', 'button', 1);
    bank.guestWrite(0, 2, 0x0100);
    expect(bank.guestRead(0, 2)).toBe(0x0001);
  });

  it('clears fields that reading clears', () => {
    const bank = new RegisterBank(MAP);
    expect([bank.guestRead(0xc, 1), bank.guestRead(0xc, 1)]).toEqual([0xf, 0]);
  });

  it('reaches two registers with one access, hooks once each', () => {
    const status = vi.fn();
    const enable = vi.fn();
    const bank = new RegisterBank(MAP, { status: { write: status }, enable: { write: enable } });
    bank.poke('status', 0x101);
    bank.guestWrite(0, 4, 0x0101_0001);
    expect(status).toHaveBeenCalledExactlyOnceWith(0x100, 0x101);
    expect(enable).toHaveBeenCalledExactlyOnceWith(0x101, 0);
    expect(bank.guestRead(0, 4)).toBe(0x0101_0100);
  });

  it('shows a write-only field to the hook and forgets it', () => {
    const seen: number[] = [];
    const bank: RegisterBank<typeof MAP> = new RegisterBank(MAP, { control: { write: () => seen.push(bank.field('control', 'go'), bank.field('control', 'type')) } });
    bank.guestWrite(4, 2, (5 << 10) | (1 << 13));
    expect(seen).toEqual([1, 5]);
    expect(bank.get('control')).toBe(5 << 10);
  });

  it('asks for computed values before a read', () => {
    const bank: RegisterBank<typeof MAP> = new RegisterBank(MAP, { identity: { read: () => bank.poke('identity', 7) } });
    expect(bank.guestRead(8, 4)).toBe(7);
  });

  it('saves and restores by name', () => {
    const one = new RegisterBank(MAP);
    one.guestWrite(2, 2, 0x100);
    const two = new RegisterBank(MAP);
    two.restore(structuredClone(one.save()));
    expect(two.guestRead(2, 2)).toBe(0x100);
    two.restore({});
    expect(two.guestRead(4, 2)).toBe(1);
  });

  it('refuses a map whose registers overlap', () => {
    expect(() => new RegisterBank({ a: reg32(0, {}), b: reg8(3, {}) })).toThrow('registers of a map do not overlap: b');
  });

  it('knows its fields by name at compile time', () => {
    const bank = new RegisterBank(MAP);
    // @ts-expect-error there is no such field
    expect(() => bank.field('control', 'goo')).toThrow('control.goo');
  });
});

describe('describeMap', () => {
  it('prints a line a field', () => {
    expect(describeMap({ control: MAP.control })).toEqual(['0x04 control[0] enable rw = 1', '0x04 control[12:10] type rw = 0', '0x04 control[13] go wo = 0']);
  });
});
