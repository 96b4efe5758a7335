/** A wire into an interrupt controller. Setting the level it already has is allowed and does nothing. */
export interface IrqLine {
  set(level: boolean): void;
}

/** A line that goes nowhere. */
export const UNCONNECTED: IrqLine = { set() {} };

/** Raises and lowers an edge-triggered line. */
export function pulse(line: IrqLine): void {
  line.set(true);
  line.set(false);
}

/** Several level-triggered sources on one wire (PCI INTx): high while any source is high. Each call adds a source. */
export function wireOr(target: IrqLine): () => IrqLine {
  let raised = 0;
  return () => {
    let isHigh = false;
    return {
      set(level) {
        if (level === isHigh) return;
        isHigh = level;
        raised += level ? 1 : -1;
        target.set(raised > 0);
      },
    };
  };
}
