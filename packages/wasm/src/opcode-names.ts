/** Instruction names of the text format by opcode. WebAssembly Core Specification 2.0, §5.4 and appendix A */

const numeric = (start: number, type: string, names: string): [number, string][] => names.split(' ').map((name, i) => [start + i, name.includes('.') ? name : `${type}.${name}`]);

const COMPARE = 'eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u', FLOAT_COMPARE = 'eq ne lt gt le ge';
const INTEGER = 'clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr', FLOAT = 'abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign';

/** No immediate. */
export const PLAIN_NAMES: ReadonlyMap<number, string> = new Map([
  [0x00, 'unreachable'], [0x01, 'nop'], [0x0f, 'return'], [0x1a, 'drop'], [0x1b, 'select'],
  ...numeric(0x45, 'i32', COMPARE), ...numeric(0x50, 'i64', COMPARE), ...numeric(0x5b, 'f32', FLOAT_COMPARE), ...numeric(0x61, 'f64', FLOAT_COMPARE),
  ...numeric(0x67, 'i32', INTEGER), ...numeric(0x79, 'i64', INTEGER), ...numeric(0x8b, 'f32', FLOAT), ...numeric(0x99, 'f64', FLOAT),
  ...numeric(0xa7, 'i32', 'wrap_i64 trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u i64.extend_i32_s i64.extend_i32_u i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u'),
  ...numeric(0xb2, 'f32', 'convert_i32_s convert_i32_u convert_i64_s convert_i64_u demote_f64 f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u f64.promote_f32'),
  ...numeric(0xbc, 'i32', 'reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64 i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s'),
] as [number, string][]);

/** With alignment and offset. */
export const MEMORY_NAMES: ReadonlyMap<number, string> = new Map(numeric(0x28, '',
  'i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u '
  + 'i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32'));

/** Behind 0xfc. */
export const MISC_NAMES: readonly string[] = [
  'i32.trunc_sat_f32_s', 'i32.trunc_sat_f32_u', 'i32.trunc_sat_f64_s', 'i32.trunc_sat_f64_u', 'i64.trunc_sat_f32_s', 'i64.trunc_sat_f32_u', 'i64.trunc_sat_f64_s', 'i64.trunc_sat_f64_u',
  'memory.init', 'data.drop', 'memory.copy', 'memory.fill', 'table.init', 'elem.drop', 'table.copy', 'table.grow', 'table.size', 'table.fill',
];

const lanes = (start: number, shape: string, names: string): [number, string][] => numeric(start, shape, names).filter(([, name]) => !name.endsWith('.-'));
const INTEGER_LANES = 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u', SATURATING = 'shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u';
const extended = (from: string): string => `extmul_low_${from}_s extmul_high_${from}_s extmul_low_${from}_u extmul_high_${from}_u`;
const widened = (from: string): string => `extend_low_${from}_s extend_high_${from}_s extend_low_${from}_u extend_high_${from}_u`;

/** Behind 0xfd. */
export const VECTOR_NAMES: ReadonlyMap<number, string> = new Map([
  ...lanes(0x00, 'v128', 'load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u load8_splat load16_splat load32_splat load64_splat store const'),
  ...lanes(0x0d, '', 'i8x16.shuffle i8x16.swizzle i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat'),
  ...lanes(0x15, '', 'i8x16.extract_lane_s i8x16.extract_lane_u i8x16.replace_lane i16x8.extract_lane_s i16x8.extract_lane_u i16x8.replace_lane i32x4.extract_lane i32x4.replace_lane '
    + 'i64x2.extract_lane i64x2.replace_lane f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane f64x2.replace_lane'),
  ...lanes(0x23, 'i8x16', INTEGER_LANES), ...lanes(0x2d, 'i16x8', INTEGER_LANES), ...lanes(0x37, 'i32x4', INTEGER_LANES), ...lanes(0x41, 'f32x4', FLOAT_COMPARE), ...lanes(0x47, 'f64x2', FLOAT_COMPARE),
  ...lanes(0x4d, 'v128', 'not and andnot or xor bitselect any_true load8_lane load16_lane load32_lane load64_lane store8_lane store16_lane store32_lane store64_lane load32_zero load64_zero'),
  ...lanes(0x5e, '', 'f32x4.demote_f64x2_zero f64x2.promote_low_f32x4'),
  ...lanes(0x60, 'i8x16', `abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest ${SATURATING} f64x2.ceil f64x2.floor min_s min_u max_s max_u f64x2.trunc avgr_u`),
  ...lanes(0x7c, '', 'i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u'),
  ...lanes(0x80, 'i16x8', `abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u ${widened('i8x16')} ${SATURATING} f64x2.nearest mul min_s min_u max_s max_u - avgr_u ${extended('i8x16')}`),
  ...lanes(0xa0, 'i32x4', `abs neg - all_true bitmask - - ${widened('i16x8')} shl shr_s shr_u add - - sub - - - mul min_s min_u max_s max_u dot_i16x8_s - ${extended('i16x8')}`),
  ...lanes(0xc0, 'i64x2', `abs neg - all_true bitmask - - ${widened('i32x4')} shl shr_s shr_u add - - sub - - - mul eq ne lt_s gt_s le_s ge_s ${extended('i32x4')}`),
  ...lanes(0xe0, 'f32x4', 'abs neg - sqrt add sub mul div min max pmin pmax'), ...lanes(0xec, 'f64x2', 'abs neg - sqrt add sub mul div min max pmin pmax'),
  ...lanes(0xf8, '', 'i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u'),
]);
