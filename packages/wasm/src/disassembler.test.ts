import { describe, expect, it } from 'vitest';
import { disassemble } from './disassembler.ts';
import * as w from './expression.ts';
import { ModuleBuilder } from './module.ts';
import { PLAIN_NAMES, VECTOR_NAMES } from './opcode-names.ts';

describe('the disassembler', () => {
  it('shows what the builder was told', () => {
    const module = new ModuleBuilder();
    module.importMemory({ module: 'env', name: 'memory', minimumPages: 1, maximumPages: 1, shared: false });
    const ask = module.importFunction('env', 'ask', ['i32'], ['i32']);
    module.export('f', module.define(['i32', 'i64'], ['i32'], (fn) => {
      fn.if(w.eqz(fn.param(0)), () => { fn.return(w.i32(-7)); }, () => { fn.store(64, fn.param(0), 24, w.i64(5, -1)); });
      fn.return(ask.call(w.load('i32', 8, fn.param(0), 100)));
    }));
    const { imports, functions } = disassemble(module.finish(), { remark: (offset) => (offset === 24 ? 'a field' : undefined) });
    expect(imports).toEqual(['env.ask']);
    expect(functions[0]).toMatchObject({ index: 1, params: ['i32', 'i64'], results: ['i32'] });
    expect(functions[0]?.lines.join('\n')).toContain(`local.get 0
i32.eqz
if
  i32.const -7
  return
else
  local.get 0
  i64.const -4294967291
  i64.store offset=24 ;; a field
end
local.get 0
i32.load8_u offset=100
call env.ask
return`);
  });

  it.each([[0x45, 'i32.eqz'], [0x5a, 'i64.ge_u'], [0x66, 'f64.ge'], [0x78, 'i32.rotr'], [0x8a, 'i64.rotr'], [0xa6, 'f64.copysign'], [0xac, 'i64.extend_i32_s'], [0xb6, 'f32.demote_f64'], [0xbb, 'f64.promote_f32'], [0xc4, 'i64.extend32_s']])(
    'names opcode %i %s', (op, name) => { expect(PLAIN_NAMES.get(op)).toBe(name); });
  it.each([[0x0c, 'v128.const'], [0x22, 'f64x2.replace_lane'], [0x40, 'i32x4.ge_u'], [0x5d, 'v128.load64_zero'], [0x6e, 'i8x16.add'], [0x7b, 'i8x16.avgr_u'], [0x9f, 'i16x8.extmul_high_i8x16_u'], [0xba, 'i32x4.dot_i16x8_s'], [0xd6, 'i64x2.eq'], [0xdf, 'i64x2.extmul_high_i32x4_u'], [0xf3, 'f64x2.div'], [0xff, 'f64x2.convert_low_i32x4_u']])(
    'names vector opcode %i %s', (op, name) => { expect(VECTOR_NAMES.get(op)).toBe(name); });
});
