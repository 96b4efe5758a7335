import { describe, expect, it } from 'vitest';
import { forbiddenImport, type Layer } from './layers.ts';

describe('an import', () => {
  it.each<[Layer, Layer]>([
    ['core', 'contract'],
    ['core', 'core'],
    ['engine', 'core'],
    ['device', 'core'],
    ['machine', 'device'],
    ['app', 'contract'],
    ['tool', 'app'],
    ['app', 'tool'],
  ])('from %s to %s is allowed', (from, to) => {
    expect(forbiddenImport(from, to)).toBeUndefined();
  });

  it.each<[Layer, Layer, string]>([
    ['contract', 'core', 'imports point down, and core is above contract'],
    ['core', 'machine', 'imports point down, and machine is above core'],
    ['engine', 'device', 'imports point down, and device is above engine'],
    ['device', 'device', 'devices never import each other'],
    ['device', 'engine', 'devices know no engine'],
    ['machine', 'tool', 'must work without them'],
  ])('from %s to %s is forbidden', (from, to, reason) => {
    expect(forbiddenImport(from, to)).toContain(reason);
  });

  it('of a tool is allowed in a test', () => {
    expect(forbiddenImport('core', 'tool', true)).toBeUndefined();
  });
});
