/**
 * Makes the addresses of the pages, and reads them.
 */

/** @param {{namespace: string, className: string, name: string}} guest */
export const guestLink = (guest) =>
  `#/guest/${[guest.namespace, guest.className, guest.name].map(encodeURIComponent).join("/")}`;

/** @param {string} namespace */
export const nodeLink = (namespace) => `#/node/${encodeURIComponent(namespace)}`;

/** The page of the CIM browser for an instance. @param {{href: string}} instance */
export const browserLink = (instance) => `#/browser/${encodeURIComponent(instance.href)}`;

/** The page, its parts and options. @param {string} hash */
export function readAddress(hash) {
  const [path, options = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page, ...parts] = path.split("/").map((each) => {
    try {
      return decodeURIComponent(each);
    } catch {
      return each;
    }
  });
  return { page: page || "overview", parts, options: new URLSearchParams(options) };
}
