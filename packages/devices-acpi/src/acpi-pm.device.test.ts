import { describe, expect, it, vi } from 'vitest';
import { fakeClock, fakeIrq, fuzzDevice } from '@vmm/device-kit/testing';
import { AcpiPm } from './acpi-pm.device.ts';
import type { AcpiPmOptions } from './acpi-pm.device.ts';
import { ResetControl } from './reset-control.ts';

const STATUS = 0x600, ENABLE = 0x602, CONTROL = 0x604, TIMER = 0x608, GPE_STATUS = 0x60c, GPE_ENABLE = 0x60e, SMI_CMD = 0xb2;
const POWER_BUTTON = 0x100;

function powered(options: Partial<AcpiPmOptions> = {}) {
  const clock = fakeClock();
  const sci = fakeIrq();
  const onPowerOff = vi.fn();
  const onSleep = vi.fn();
  const pm = new AcpiPm({ clock, sci, onPowerOff, onSleep, ...options });
  return { clock, sci, onPowerOff, onSleep, pm };
}

describe('AcpiPm events', () => {
  it('hold the SCI high until the guest writes one to the status bit', () => {
    const { pm, sci } = powered();
    pm.pioWrite(ENABLE, 2, POWER_BUTTON);
    pm.pressPowerButton();
    expect(sci.level).toBe(true);
    expect(pm.pioRead(STATUS, 2)).toBe(POWER_BUTTON);
    pm.pioWrite(STATUS, 2, POWER_BUTTON);
    expect(sci.level).toBe(false);
    expect(pm.pioRead(STATUS, 2)).toBe(0);
  });

  it('wait until they are enabled', () => {
    const { pm, sci } = powered();
    pm.pressPowerButton();
    expect(sci.level).toBe(false);
    pm.pioWrite(ENABLE, 2, POWER_BUTTON);
    expect(sci.level).toBe(true);
  });

  it('are no SCI in legacy mode; SMI_CMD enters and leaves ACPI mode', () => {
    const { pm, sci } = powered({ startsInAcpiMode: false });
    pm.pioWrite(ENABLE, 2, POWER_BUTTON);
    pm.pressPowerButton();
    expect([sci.level, pm.pioRead(CONTROL, 2) & 1]).toEqual([false, 0]);
    pm.pioWrite(SMI_CMD, 1, 0xf1);
    expect([sci.level, pm.pioRead(CONTROL, 2) & 1]).toEqual([true, 1]);
    pm.pioWrite(SMI_CMD, 1, 0xf0);
    expect([sci.level, pm.pioRead(CONTROL, 2) & 1]).toEqual([false, 0]);
    expect(pm.pioRead(SMI_CMD, 1)).toBe(0xf0);
  });

  it('come from GPE0 too', () => {
    const { pm, sci } = powered();
    pm.raiseGpe(3);
    expect(pm.pioRead(GPE_STATUS, 1)).toBe(8);
    pm.pioWrite(GPE_ENABLE, 1, 8);
    expect(sci.level).toBe(true);
    pm.pioWrite(GPE_STATUS, 1, 8);
    expect(sci.level).toBe(false);
  });

  it('can be read and written a byte at a time', () => {
    const { pm } = powered();
    pm.pioWrite(ENABLE + 1, 1, 0x01);
    expect(pm.pioRead(ENABLE, 2)).toBe(POWER_BUTTON);
    pm.pressPowerButton();
    expect(pm.pioRead(STATUS + 1, 1)).toBe(1);
  });
});

describe('AcpiPm sleep', () => {
  it('powers off when SLP_EN is written with type 5, and SLP_EN reads as zero', () => {
    const { pm, onPowerOff } = powered();
    pm.pioWrite(CONTROL, 2, (5 << 10) | 1);
    expect(onPowerOff).not.toHaveBeenCalled();
    pm.pioWrite(CONTROL, 2, (5 << 10) | (1 << 13) | 1);
    expect(onPowerOff).toHaveBeenCalledOnce();
    expect(pm.pioRead(CONTROL, 2)).toBe((5 << 10) | 1);
  });

  it('asks for other sleep states and reports the wake', () => {
    const { pm, onSleep } = powered();
    pm.pioWrite(CONTROL, 2, (3 << 10) | (1 << 13));
    expect(onSleep).toHaveBeenCalledExactlyOnceWith(3);
    pm.wake();
    expect(pm.pioRead(STATUS, 2)).toBe(0x8000);
  });
});

describe('AcpiPm timer', () => {
  it('counts 3.579545 MHz', () => {
    const { pm, clock } = powered();
    clock.advance(1e9);
    expect(pm.pioRead(TIMER, 4)).toBe(3_579_545);
    expect(pm.pioRead(TIMER, 1)).toBe(3_579_545 & 0xff);
    expect(pm.pioRead(TIMER + 2, 2)).toBe(3_579_545 >> 16);
  });

  it.each([[true, 2 ** 32], [false, 2 ** 24]])('wraps (32 bits: %s)', (is32BitTimer, modulus) => {
    const { pm, clock } = powered({ is32BitTimer });
    clock.advance(((modulus + 1000.5) / 3_579_545) * 1e9);
    expect(pm.pioRead(TIMER, 4)).toBe(1000);
  });

  it('reports the change of its top bit and interrupts when asked', () => {
    const { pm, clock, sci } = powered({ is32BitTimer: false });
    pm.pioWrite(ENABLE, 2, 1);
    clock.advance(2.34e9);
    expect(sci.level).toBe(false);
    clock.advance(0.01e9);
    expect(sci.level).toBe(true);
    pm.pioWrite(STATUS, 2, 1);
    expect([sci.level, pm.pioRead(STATUS, 2)]).toEqual([false, 0]);
    clock.advance(2.35e9);
    expect(sci.level).toBe(true);
  });

  it('costs no deadline while its interrupt is off', () => {
    expect(powered().clock.nextDeadline()).toBe(Infinity);
  });
});

describe('AcpiPm snapshot', () => {
  it('continues with its SCI', () => {
    const one = powered();
    one.pm.pioWrite(ENABLE, 2, POWER_BUTTON);
    one.pm.pressPowerButton();
    const two = powered({ startsInAcpiMode: false });
    two.pm.restore(structuredClone(one.pm.save()));
    expect(two.sci.level).toBe(true);
  });

  it('survives a mad driver', () => {
    const { pm, clock } = powered({ is32BitTimer: false });
    fuzzDevice(pm, { clock });
  });
});

describe('ResetControl', () => {
  it.each([[0x06, 'hard'], [0x0e, 'hard'], [0x04, 'soft']] as const)('%i resets: %s', (value, kind) => {
    const onReset = vi.fn();
    const device = new ResetControl({ onReset });
    device.pioWrite(0xcf9, 1, value);
    expect(onReset).toHaveBeenCalledExactlyOnceWith(kind);
    device.pioWrite(0xcf9, 1, value);
    expect(onReset).toHaveBeenCalledOnce(); // on the rising edge of RST_CPU only
    expect(device.pioRead(0xcf9, 1)).toBe(value);
  });

  it('waits for bit 2, as Linux writes 2 and then 6', () => {
    const onReset = vi.fn();
    const device = new ResetControl({ onReset });
    device.pioWrite(0xcf9, 1, 0x02);
    expect(onReset).not.toHaveBeenCalled();
    device.pioWrite(0xcf9, 1, 0x06);
    expect(onReset).toHaveBeenCalledOnce();
    device.restore(structuredClone(device.save()));
    fuzzDevice(device, { accesses: 1000 });
  });
});
