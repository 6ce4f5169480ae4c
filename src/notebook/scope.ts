/**
 * The variables of all cells. A cell's variables are locals of its own function, as fast as any; here stand accessors
 * to them, so that a function of cell 1 and a later cell that assigns to a variable of cell 1 see the same variable.
 */
export class Scope {
  readonly object: Record<string, unknown> = Object.create(null);

  /** `[get]` for a constant, `[get, set]` for a variable. Returns a function that takes back what `undoes` names. */
  declare(accessors: Record<string, [() => unknown, ((value: unknown) => void)?]>): Declared {
    const before = new Map<string, PropertyDescriptor | undefined>();
    for (const [name, [get, set]] of Object.entries(accessors)) {
      before.set(name, Object.getOwnPropertyDescriptor(this.object, name));
      Object.defineProperty(this.object, name, {
        get,
        set: set ?? refuseAssignment(name),
        configurable: true,
        enumerable: true,
      });
    }
    return {
      settle: () => this.settle(before),
    };
  }

  /** Names whose declaration the cell never reached get their earlier meaning back. Returns the others. */
  private settle(before: Map<string, PropertyDescriptor | undefined>): string[] {
    const live: string[] = [];
    for (const [name, earlier] of before) {
      try {
        void this.object[name];
        live.push(name);
      } catch {
        if (earlier) Object.defineProperty(this.object, name, earlier);
        else delete this.object[name];
      }
    }
    return live;
  }
}

/** Made out here: a closure of `declare` would keep the earlier variables of the same names alive. */
function refuseAssignment(name: string): () => never {
  return () => {
    throw new TypeError(`Assignment to constant variable '${name}'.`);
  };
}

export interface Declared {
  settle(): string[];
}
