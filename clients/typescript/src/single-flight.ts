/** Many who want the same at once: one does it, all get what came of it, be it a value or an error. */

export class SingleFlight<Value> {
  readonly #flights = new Map<string, Promise<Value>>()

  isUnderWay(name: string): boolean {
    return this.#flights.has(name)
  }

  /** What `work` returns or throws, begun by this caller or by the one that came first. */
  join(name: string, work: () => Promise<Value>): Promise<Value> {
    const flight = this.#flights.get(name) ?? this.#lead(name, work)
    this.#flights.set(name, flight)
    return flight
  }

  async #lead(name: string, work: () => Promise<Value>): Promise<Value> {
    try {
      return await work()
    } finally {
      this.#flights.delete(name)
    }
  }
}
