/**
 * Whose actor runs an action. `provide` builds a machine's states anew, a quarter of a millisecond that every piece
 * would pay: so a machine is provided once, and its actions look up the object whose actor they run in.
 */
export class Owners<Owner extends object> {
  readonly #owners = new WeakMap<object, Owner>();

  /** Called before the actor starts. */
  set(actor: object, owner: Owner): void {
    this.#owners.set(actor, owner);
  }

  /** @throws Error for an actor without an owner */
  of(actor: object): Owner {
    const owner = this.#owners.get(actor);
    if (owner === undefined) throw new Error('an actor without an owner');
    return owner;
  }
}
