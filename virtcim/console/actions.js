/**
 * What can be done with a guest as a whole, when it is offered, and why not where it is not.
 */
import * as api from "./api.js";
import { refreshSoon, tell } from "./state.js";
import { text } from "./texts.js";
import { STARTED_AS_JOB } from "./values.js";

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

/**
 * The actions that make sense in a guest's state, each with the reason where it cannot be taken.
 *
 * @param {api.Instance} system the CIM_ComputerSystem
 * @returns {{name: string, state: number, danger?: boolean, reason: string}[]}
 */
export function offered(system) {
  const now = Number(system.properties.EnabledState);
  /** @type {number[] | null} */
  const available = system.properties.AvailableRequestedStates ?? null;
  return ACTIONS.filter((each) => (!each.from || each.from.includes(now)) && !each.notFrom?.includes(now)).map((each) => ({
    ...each,
    reason: available === null || available.includes(each.state) ? "" : text("action.not-now", { state: text(`state.${now}`) }),
  }));
}

/**
 * Asks for a state of a guest, and tells what came of it.
 *
 * @param {{href: string, name: string, namespace: string, className: string}} guest
 * @param {{name: string, state: number}} action
 */
export async function act(guest, action) {
  const names = { action: text(`action.${action.name}`), name: guest.name };
  try {
    const outcome = await api.invoke(guest, "RequestStateChange", { RequestedState: action.state });
    if (outcome.ReturnValue === 0) tell(text("action.done", names));
    else if (outcome.ReturnValue === STARTED_AS_JOB) tell(text("action.job", names));
    else tell(text("action.failed", { ...names, detail: `${outcome.ReturnValue}` }), "bad");
  } catch (error) {
    tell(text("action.failed", { ...names, detail: /** @type {Error} */ (error).message }), "bad");
  }
  refreshSoon(guest);
}
