import { RTC, RTC_BITS } from '@vmm/spec';

/** Calendar fields as plain numbers: `hours` 0 to 23, `month` 1 to 12, `weekday` 1 (Sunday) to 7. */
export interface Calendar {
  readonly seconds: number;
  readonly minutes: number;
  readonly hours: number;
  readonly weekday: number;
  readonly day: number;
  readonly month: number;
  readonly year: number;
}

const PM = 0x80;

export function toBcd(value: number): number {
  return (Math.floor(value / 10) << 4) | (value % 10);
}

export function fromBcd(value: number): number {
  return (value >> 4) * 10 + (value & 15);
}

export function calendarOf(unixMs: number): Calendar {
  const date = new Date(unixMs);
  return {
    seconds: date.getUTCSeconds(), minutes: date.getUTCMinutes(), hours: date.getUTCHours(), weekday: date.getUTCDay() + 1,
    day: date.getUTCDate(), month: date.getUTCMonth() + 1, year: date.getUTCFullYear(),
  };
}

/** How register B says that numbers and hours are written. */
export class CalendarFormat {
  readonly #isBinary: boolean;
  readonly #is24Hour: boolean;

  constructor(registerB: number) {
    this.#isBinary = (registerB & RTC_BITS.B_BINARY) !== 0;
    this.#is24Hour = (registerB & RTC_BITS.B_24H) !== 0;
  }

  encode(value: number): number {
    return this.#isBinary ? value & 0xff : toBcd(value);
  }

  decode(byte: number): number {
    return this.#isBinary ? byte : fromBcd(byte);
  }

  encodeHours(hours: number): number {
    if (this.#is24Hour) return this.encode(hours);
    return this.encode(hours % 12 === 0 ? 12 : hours % 12) | (hours >= 12 ? PM : 0);
  }

  decodeHours(byte: number): number {
    if (this.#is24Hour) return this.decode(byte);
    return (this.decode(byte & ~PM) % 12) + ((byte & PM) !== 0 ? 12 : 0);
  }

  /** Writes the ten time bytes of the CMOS. */
  store(cmos: Uint8Array, time: Calendar): void {
    cmos[RTC.SECONDS] = this.encode(time.seconds);
    cmos[RTC.MINUTES] = this.encode(time.minutes);
    cmos[RTC.HOURS] = this.encodeHours(time.hours);
    cmos[RTC.DAY_OF_WEEK] = this.encode(time.weekday);
    cmos[RTC.DAY_OF_MONTH] = this.encode(time.day);
    cmos[RTC.MONTH] = this.encode(time.month);
    cmos[RTC.YEAR] = this.encode(time.year % 100);
    cmos[RTC.CENTURY] = this.encode(Math.floor(time.year / 100));
  }

  /** Reads them back as milliseconds since 1970; nonsense values carry over, as in `Date.UTC`. */
  load(cmos: Uint8Array): number {
    const at = (index: number): number => this.decode(cmos[index] ?? 0);
    const year = at(RTC.CENTURY) * 100 + at(RTC.YEAR);
    const date = new Date(0);
    date.setUTCFullYear(year, at(RTC.MONTH) - 1, at(RTC.DAY_OF_MONTH));
    date.setUTCHours(this.decodeHours(cmos[RTC.HOURS] ?? 0), at(RTC.MINUTES), at(RTC.SECONDS));
    return date.getTime();
  }
}
