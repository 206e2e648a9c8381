interface Node<T> {
  readonly value: T;
  readonly weight: number;
  size: number;
  left: Node<T> | undefined;
  right: Node<T> | undefined;
}

/**
 * Values in an order, with their places in it: adding, removing, the first and the rank of one cost O(log n) comparisons (a treap). `compare` is a total order in which only equal values are 0, and must
 * not change for a value that is in the set.
 */
export class OrderedSet<T> {
  readonly #compare: (a: T, b: T) => number;
  #root: Node<T> | undefined;
  /** Weights need to look random, and nothing else. */
  #seed = 0x2545f491;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return sizeOf(this.#root);
  }

  get first(): T | undefined {
    let node = this.#root;
    while (node?.left !== undefined) node = node.left;
    return node?.value;
  }

  /** How many come before it, be it in the set or not. */
  rank(value: T): number {
    let before = 0;
    for (let node = this.#root; node !== undefined; ) {
      if (this.#compare(node.value, value) < 0) {
        before += sizeOf(node.left) + 1;
        node = node.right;
      } else node = node.left;
    }
    return before;
  }

  has(value: T): boolean {
    for (let node = this.#root; node !== undefined; ) {
      const order = this.#compare(value, node.value);
      if (order === 0) return true;
      node = order < 0 ? node.left : node.right;
    }
    return false;
  }

  /** @returns whether it was not there */
  add(value: T): boolean {
    if (this.has(value)) return false;
    const [less, more] = this.#split(this.#root, value);
    const node: Node<T> = { value, weight: this.#random(), size: 1, left: undefined, right: undefined };
    this.#root = merged(merged(less, node), more);
    return true;
  }

  /** @returns whether it was there */
  delete(value: T): boolean {
    if (!this.has(value)) return false;
    this.#root = this.#without(this.#root as Node<T>, value);
    return true;
  }

  *[Symbol.iterator](): Generator<T, void> {
    const path: Node<T>[] = [];
    for (let node = this.#root; node !== undefined || path.length > 0; ) {
      for (; node !== undefined; node = node.left) path.push(node);
      const next = path.pop() as Node<T>;
      yield next.value;
      node = next.right;
    }
  }

  #without(node: Node<T>, value: T): Node<T> | undefined {
    const order = this.#compare(value, node.value);
    if (order === 0) return merged(node.left, node.right);
    if (order < 0) node.left = this.#without(node.left as Node<T>, value);
    else node.right = this.#without(node.right as Node<T>, value);
    return counted(node);
  }

  /** What comes before the value, and what does not. */
  #split(node: Node<T> | undefined, value: T): [Node<T> | undefined, Node<T> | undefined] {
    if (node === undefined) return [undefined, undefined];
    if (this.#compare(node.value, value) < 0) {
      const [less, more] = this.#split(node.right, value);
      node.right = less;
      return [counted(node), more];
    }
    const [less, more] = this.#split(node.left, value);
    node.left = more;
    return [less, counted(node)];
  }

  #random(): number {
    this.#seed ^= this.#seed << 13;
    this.#seed ^= this.#seed >>> 17;
    this.#seed ^= this.#seed << 5;
    return this.#seed;
  }
}

function sizeOf<T>(node: Node<T> | undefined): number {
  return node?.size ?? 0;
}

function counted<T>(node: Node<T>): Node<T> {
  node.size = sizeOf(node.left) + sizeOf(node.right) + 1;
  return node;
}

/** All of `a` come before all of `b`. */
function merged<T>(a: Node<T> | undefined, b: Node<T> | undefined): Node<T> | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  if (a.weight >= b.weight) {
    a.right = merged(a.right, b);
    return counted(a);
  }
  b.left = merged(a, b.left);
  return counted(b);
}
