// What the foreign parts have for us, as far as the pages use it.
export function html(strings: TemplateStringsArray, ...values: any[]): any;
export function render(what: any, where: Element): void;
export function useState<T>(first: T | (() => T)): [T, (next: T | ((before: T) => T)) => void];
export function useEffect(effect: () => void | undefined | (() => unknown), inputs?: unknown[]): void;
export function useLayoutEffect(effect: () => void | undefined | (() => unknown), inputs?: unknown[]): void;
export function useMemo<T>(make: () => T, inputs: unknown[]): T;
export function useRef(first: any): { current: any };
export class Component {
  props: Record<string, any>;
}
export function useErrorBoundary(): [Error | undefined, () => void];
export function loadPlot(): Promise<any>;
export function loadGraph(): Promise<any>;
export function loadTerminal(): Promise<any>;
export function loadScreen(): Promise<any>;
