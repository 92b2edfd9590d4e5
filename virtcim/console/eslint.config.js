import js from "@eslint/js";

const BROWSER = ["AbortController", "EventSource", "FormData", "Intl", "MessageEvent", "TextEncoder", "URL", "URLSearchParams", "WebSocket", "Blob", "PerformanceObserver", "CSSStyleSheet", "Element", "HTMLElement", "addEventListener",
  "clearInterval", "clearTimeout", "performance", "document", "fetch", "getComputedStyle", "localStorage", "location", "navigator", "prompt", "removeEventListener",
  "requestAnimationFrame", "setInterval", "setTimeout"];

export default [
  { ignores: ["parts/**"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: "latest", sourceType: "module", globals: Object.fromEntries(BROWSER.map((name) => [name, "readonly"])) },
    rules: { eqeqeq: "error", "no-var": "error", "prefer-const": "error", "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }] },
  },
];
