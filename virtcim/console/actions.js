/**
 * What can be done with a guest as a whole, when it is offered, and why not where it is not.
 */
import * as api from "./api.js";
import { isAway, refreshSoon, tell } from "./state.js";
import { text } from "./texts.js";
import { STARTED_AS_JOB, shortName } from "./values.js";

/**
 * The states that can be asked for, in the order of the buttons (CIM_EnabledLogicalElement.RequestedState).
 *
 * `from` is the state that an action begins in, where two actions ask for the same state.
 * @type {{name: string, state: number, from?: number[], notFrom?: number[], danger?: boolean}[]}
 */
export const ACTIONS = [
  { name: "start", state: 2, notFrom: [2, 9] },
  { name: "resume", state: 2, from: [9] },
  { name: "pause", state: 9 },
  { name: "stop", state: 4 },
  { name: "reboot", state: 10 },
  { name: "save", state: 6 },
  { name: "reset", state: 11, danger: true },
  { name: "off", state: 3, danger: true },
];

/** CIM_ManagedSystemElement.OperationalStatus: No Contact */
const NO_CONTACT = 12;

/**
 * Why nothing can be done with a guest, be it in what state; "" where something can.
 *
 * @param {{namespace: string}} guest
 * @param {api.Instance} system the CIM_ComputerSystem, which may have been read before the contact was lost
 */
export function outOfReach({ namespace }, system) {
  const isLost = (system.properties.OperationalStatus ?? []).includes(NO_CONTACT);
  return isLost || isAway(namespace) ? text("action.no-contact") : "";
}

/**
 * The actions that make sense in a guest's state, each with the reason where it cannot be taken.
 *
 * @param {{namespace: string}} guest
 * @param {api.Instance} system the CIM_ComputerSystem
 * @returns {{name: string, state: number, danger?: boolean, reason: string}[]}
 */
export function offered(guest, system) {
  const now = Number(system.properties.EnabledState);
  /** @type {number[] | null} */
  const available = system.properties.AvailableRequestedStates ?? null;
  const lost = outOfReach(guest, system);
  return ACTIONS.filter((each) => (!each.from || each.from.includes(now)) && !each.notFrom?.includes(now)).map((each) => ({
    ...each,
    reason: lost || (available === null || available.includes(each.state) ? "" : text("action.not-now", { state: text(`state.${now}`) })),
  }));
}

/**
 * @typedef {{href: string, name: string, namespace: string, className: string}} Named
 * @typedef {{name: string, state: number}} Action
 */

/** Asks for a state of a guest, and says what came of it. @param {Named} guest @param {Action} action @returns {Promise<{isDone: boolean, told: string}>} */
async function request(guest, action) {
  const names = { action: text(`action.${action.name}`), name: shortName(guest.name) };
  const failed = (/** @type {string} */ detail) => ({ isDone: false, told: text("action.failed", { ...names, detail }) });
  try {
    const { ReturnValue } = await api.invoke(guest, "RequestStateChange", { RequestedState: action.state });
    if (ReturnValue !== 0 && ReturnValue !== STARTED_AS_JOB) return failed(await api.meaningOf(guest, "RequestStateChange", ReturnValue));
    return { isDone: true, told: text(ReturnValue === 0 ? "action.done" : "action.job", names) };
  } catch (error) {
    return failed(/** @type {Error} */ (error).message);
  } finally {
    refreshSoon(guest);
  }
}

/** Asks for a state of a guest, and tells what came of it. @param {Named} guest @param {Action} action */
export async function act(guest, action) {
  const { isDone, told } = await request(guest, action);
  tell(told, isDone ? "good" : "bad");
}

/** Requests that are under way at a time: behind more of them a browser holds up everything else. */
const AT_ONCE = 4;
/** Failures that are told one by one. */
const TOLD = 5;

/** Asks for a state of many guests, and tells what came of it in few messages. @param {Named[]} guests @param {Action} action */
export async function actOnAll(guests, action) {
  const waiting = [...guests];
  /** @type {string[]} */
  const failures = [];
  const work = async () => {
    for (let guest = waiting.pop(); guest; guest = waiting.pop()) {
      const { isDone, told } = await request(guest, action);
      if (!isDone) failures.push(told);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const count = guests.length - failures.length;
  if (count) tell(text("bulk.done", { action: text(`action.${action.name}`), count }));
  for (const each of failures.slice(0, TOLD)) tell(each, "bad");
  if (failures.length > TOLD) tell(text("bulk.failed", { action: text(`action.${action.name}`), count: failures.length - TOLD }), "bad");
}
