/** Something that a run needs is not there, and may still come. */
export class MissingValue extends Error {
  /** A CamelCase word for conditions. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}
