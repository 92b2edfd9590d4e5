/**
 * Draws parts again only where they are others.
 */
import { Component } from "../parts.js";

/**
 * A part that is drawn again only where one of its properties is another one.
 *
 * What a part draws is not kept beside it for that: it knows its place in the page that it was drawn for, and with it the parts
 * that were drawn before, so that a list that is scrolled would never let go of any of its rows.
 *
 * @template {Record<string, any>} P
 * @param {(props: P) => any} draw
 */
export const memo = (draw) => class extends Component {
  /** @param {P} next */
  shouldComponentUpdate(next) {
    return Object.keys(next).some((name) => next[name] !== this.props[name]);
  }

  /** @param {P} props */
  render(props) {
    return draw(props);
  }
};
