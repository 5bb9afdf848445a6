// What the browser keeps: session storage for an agent's unsent words and open commands, local storage for taste.

export interface Keep {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
}

/** A keep that never throws: a browser may forbid storage, or be full, and the desk still has to work. */
export function keepIn(storage: () => Storage): Keep {
  const tolerant = <T>(act: () => T, otherwise: T): T => {
    try {
      return act();
    } catch {
      return otherwise;
    }
  };
  return {
    get: (key) => tolerant(() => storage().getItem(key), null),
    set: (key, value) => tolerant(() => storage().setItem(key, value), undefined),
    remove: (key) => tolerant(() => storage().removeItem(key), undefined),
  };
}

/** Reads JSON that we wrote ourselves; anything else counts as nothing. */
export function read<T>(keep: Keep, key: string, otherwise: T): T {
  const text = keep.get(key);
  if (text === null) return otherwise;
  try {
    return (JSON.parse(text) as T | null) ?? otherwise;
  } catch {
    return otherwise;
  }
}
