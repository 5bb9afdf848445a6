// Arrow keys within a list: one stop for Tab, and the arrows go on from there.

/** Where a key leads from a place in a list; `null` if it leads nowhere. */
export function nextOf(key: string, at: number, count: number): number | null {
  if (count === 0) return null;
  if (key === 'ArrowDown') return Math.min(at + 1, count - 1);
  if (key === 'ArrowUp') return Math.max(at - 1, 0);
  if (key === 'Home') return 0;
  return key === 'End' ? count - 1 : null;
}

/** An attachment for a list: what matches `selector` in it is gone through by arrow keys. */
export function roving(selector: string): (list: HTMLElement) => () => void {
  return (list) => {
    const items = () => [...list.querySelectorAll<HTMLElement>(selector)];
    const stopAt = (wanted: HTMLElement | undefined) => {
      const all = items();
      const stop = wanted ?? all.find((item) => item.getAttribute('aria-current') === 'true') ?? all[0];
      for (const item of all) item.tabIndex = item === stop ? 0 : -1;
    };
    const key = (event: KeyboardEvent) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const all = items();
      const at = all.indexOf(event.target as HTMLElement);
      const next = at < 0 ? null : nextOf(event.key, at, all.length);
      if (next === null) return;
      event.preventDefault();
      all[next]?.focus();
    };
    const focused = (event: FocusEvent) => {
      const item = (event.target as HTMLElement).closest<HTMLElement>(selector);
      if (item !== null) stopAt(item);
    };
    const observer = new MutationObserver(() => {
      const active = document.activeElement;
      stopAt(active instanceof HTMLElement && active.matches(selector) && list.contains(active) ? active : undefined);
    });
    stopAt(undefined);
    observer.observe(list, { childList: true, subtree: true, attributes: true, attributeFilter: ['aria-current'] });
    list.addEventListener('keydown', key);
    list.addEventListener('focusin', focused);
    return () => {
      observer.disconnect();
      list.removeEventListener('keydown', key);
      list.removeEventListener('focusin', focused);
    };
  };
}
