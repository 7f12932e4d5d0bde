/** Single flight: of concurrent calls with the same name, one does the work and all share its result or error. */

export class SingleFlight<Value> {
  readonly #flights = new Map<string, Promise<Value>>()

  isUnderWay(name: string): boolean {
    return this.#flights.has(name)
  }

  /** Return or throw the result of `work`, started by this caller or the first one. */
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
