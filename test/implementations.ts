import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'oxc-parser';

/** A node of a syntax tree (ESTree, with TypeScript's types). */
interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A node with the file in which its names mean what they mean. */
interface Placed {
  readonly node: Node;
  readonly file: string;
}

interface SourceFile {
  readonly body: readonly Node[];
  readonly declared: ReadonlyMap<string, Node>;
  readonly exported: ReadonlySet<string>;
  /** Names that it has from other files, and that it passes on. */
  readonly imported: ReadonlyMap<string, { readonly file: string; readonly name: string }>;
  /** Files of which it passes on all. */
  readonly passed: readonly string[];
}

/** An exported interface with methods. */
export interface Implemented {
  readonly name: string;
  readonly file: string;
  /** What makes it, by file and name. */
  readonly by: ReadonlySet<string>;
}

/** Types that stand for what they are given. */
const TRANSPARENT = new Set(['Promise', 'Required', 'Readonly', 'Partial', 'NonNullable', 'Awaited']);

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
const child = (node: Node, field: string) => (isNode(node[field]) ? node[field] : undefined);
const children = (node: Node, field: string) => (Array.isArray(node[field]) ? node[field].filter(isNode) : []);
const nameOf = (node: Node | undefined) => String(node?.['name'] ?? node?.['value'] ?? '');
/** The type in an annotation. */
const annotated = (node: Node | undefined, field = 'typeAnnotation') => {
  const annotation = node === undefined ? undefined : child(node, field);
  return annotation === undefined ? undefined : child(annotation, 'typeAnnotation');
};

/** Where an expression is, and what it is to be. */
interface Place {
  readonly file: string;
  /** Of the declaration around it. */
  readonly owner: string;
  readonly wanted: readonly Placed[];
  /** What the function around it returns. */
  readonly returned: readonly Placed[];
  /** Types of the properties of the class around it. */
  readonly properties: ReadonlyMap<string, Node>;
}

const NOWHERE = { owner: '', wanted: [], returned: [], properties: new Map() };

/**
 * Finds what makes each exported interface with methods: classes that implement it, and object literals that are it by an annotation, by what a function returns, by the member of
 * another interface, or as an argument of what is called by name.
 */
export class Implementations {
  readonly #sources = new Map<string, SourceFile>();
  readonly #found = new Map<Node, { readonly name: string; readonly file: string; readonly by: Set<string> }>();

  /** `files` lie below `root`. Those of tests count with their classes alone: their literals answer what a test tells them to. */
  constructor(root: string, files: readonly string[]) {
    for (const file of files) this.#sources.set(file, readSource(file, readFileSync(path.join(root, file), 'utf8')));
    for (const [file, { declared, exported }] of this.#sources)
      for (const [name, node] of declared)
        if (exported.has(name) && isPort(node)) this.#found.set(node, { name, file, by: new Set() });
    for (const [file, { body }] of this.#sources) for (const node of body) this.#visit(node, { ...NOWHERE, file });
  }

  all(): readonly Implemented[] {
    return [...this.#found.values()];
  }

  #visit(node: Node, at: Place): void {
    const inner = (other: Node | undefined, change: Partial<Place> = {}) => {
      if (other !== undefined) this.#visit(other, { ...at, wanted: [], ...change });
    };
    const typed = (type: Node | undefined): readonly Placed[] =>
      type === undefined ? [] : this.#expand({ node: type, file: at.file });
    switch (node.type) {
      case 'ClassDeclaration':
      case 'ClassExpression':
        this.#visitClass(node, at);
        break;
      case 'VariableDeclarator': {
        const id = child(node, 'id');
        inner(child(node, 'init'), { owner: at.owner || nameOf(id), wanted: typed(annotated(id)) });
        break;
      }
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression': {
        const own = typed(annotated(node, 'returnType'));
        const returned = own.length > 0 ? own : at.wanted.flatMap((wanted) => this.#returnOf(wanted));
        const owner = at.owner || `${nameOf(child(node, 'id'))}()`;
        for (const param of children(node, 'params')) inner(param, { owner });
        const body = child(node, 'body');
        inner(body, { owner, returned, wanted: body?.type === 'BlockStatement' ? [] : returned });
        break;
      }
      case 'ReturnStatement':
        inner(child(node, 'argument'), { wanted: at.returned });
        break;
      case 'AssignmentExpression': {
        const left = child(node, 'left');
        const property = left?.type === 'MemberExpression' ? child(left, 'property') : undefined;
        inner(child(node, 'right'), { wanted: typed(at.properties.get(nameOf(property))) });
        break;
      }
      case 'TSAsExpression':
      case 'TSSatisfiesExpression': {
        const type = child(node, 'typeAnnotation');
        const isConst = type?.type === 'TSTypeReference' && nameOf(child(type, 'typeName')) === 'const';
        inner(child(node, 'expression'), { wanted: isConst ? at.wanted : typed(type) });
        break;
      }
      case 'ConditionalExpression':
        inner(child(node, 'test'));
        for (const field of ['consequent', 'alternate']) inner(child(node, field), { wanted: at.wanted });
        break;
      case 'LogicalExpression':
        for (const field of ['left', 'right']) inner(child(node, field), { wanted: at.wanted });
        break;
      case 'ParenthesizedExpression':
      case 'TSNonNullExpression':
        inner(child(node, 'expression'), { wanted: at.wanted });
        break;
      case 'AwaitExpression':
        inner(child(node, 'argument'), { wanted: at.wanted });
        break;
      case 'ArrayExpression': {
        const wanted = at.wanted.flatMap((one) => this.#elementOf(one));
        for (const element of children(node, 'elements')) inner(element, { wanted });
        break;
      }
      case 'NewExpression':
      case 'CallExpression': {
        inner(child(node, 'callee'));
        const params = this.#paramsOf(child(node, 'callee'), at.file);
        for (const [n, argument] of children(node, 'arguments').entries())
          inner(argument, { wanted: params[n] === undefined ? [] : this.#expand(params[n]) });
        break;
      }
      case 'ObjectExpression':
        this.#visitObject(node, at);
        break;
      default:
        for (const value of Object.values(node))
          for (const one of Array.isArray(value) ? value : [value]) if (isNode(one) && !isType(one)) inner(one);
    }
  }

  #visitClass(node: Node, at: Place): void {
    const { file } = at;
    const name = at.owner || nameOf(child(node, 'id'));
    for (const one of children(node, 'implements'))
      for (const implemented of this.#expand({ node: implementedType(one), file })) {
        this.#add(implemented.node, `${file} ${name}`);
        // It stands for another, which need not say what it is.
        if (isOfTests(file)) this.#add(implemented.node, 'what it stands for');
      }
    const members = children(child(node, 'body')!, 'body');
    const properties = new Map<string, Node>();
    for (const member of members) {
      const type = annotated(member);
      if (member.type === 'PropertyDefinition' && type !== undefined)
        properties.set(nameOf(child(member, 'key')), type);
    }
    for (const member of members) {
      const key = nameOf(child(member, 'key'));
      const type = properties.get(key);
      const value = child(member, 'value') ?? (member.type === 'StaticBlock' ? member : undefined);
      const owner = member.type === 'PropertyDefinition' || key !== 'constructor' ? `${name}.${key}` : name;
      const wanted =
        type === undefined || member.type !== 'PropertyDefinition' ? [] : this.#expand({ node: type, file });
      if (value !== undefined) this.#visit(value, { ...at, owner, wanted, properties });
    }
  }

  #visitObject(node: Node, at: Place): void {
    for (const { node: wanted } of at.wanted) if (!isTest(at.file)) this.#add(wanted, `${at.file} ${at.owner}`);
    for (const property of children(node, 'properties')) {
      const value = child(property, property.type === 'SpreadElement' ? 'argument' : 'value');
      const key = nameOf(child(property, 'key'));
      const wanted = property.type === 'SpreadElement' ? [] : at.wanted.flatMap((one) => this.#membersOf(one, key));
      if (value !== undefined) this.#visit(value, { ...at, wanted });
    }
  }

  #add(node: Node, by: string): void {
    this.#found.get(node)?.by.add(by);
  }

  /** What a type comes to: interfaces, and types of functions, arrays and objects that are written out. */
  #expand({ node, file }: Placed, depth = 0): readonly Placed[] {
    if (depth > 20) return [];
    const all = (types: readonly Node[]) => types.flatMap((type) => this.#expand({ node: type, file }, depth + 1));
    switch (node.type) {
      case 'TSUnionType':
      case 'TSIntersectionType':
        return all(children(node, 'types'));
      case 'TSParenthesizedType':
      case 'TSTypeOperator':
        return all([child(node, 'typeAnnotation')!]);
      case 'TSIndexedAccessType': {
        const key = child(child(node, 'indexType')!, 'literal');
        return all([child(node, 'objectType')!]).flatMap((one) => this.#membersOf(one, nameOf(key)));
      }
      case 'TSTypeReference': {
        const name = nameOf(child(node, 'typeName'));
        const given = child(node, 'typeArguments');
        if (TRANSPARENT.has(name) && given !== undefined) return all(children(given, 'params').slice(0, 1));
        const found = this.#resolve(name, file);
        if (found?.node.type === 'TSInterfaceDeclaration') return [found];
        if (found?.node.type !== 'TSTypeAliasDeclaration') return [];
        return this.#expand({ node: child(found.node, 'typeAnnotation')!, file: found.file }, depth + 1);
      }
      case 'TSFunctionType':
      case 'TSArrayType':
      case 'TSTypeLiteral':
        return [{ node, file }];
      default:
        return [];
    }
  }

  /** The type of a member of an object, or its signature. */
  #membersOf({ node, file }: Placed, key: string): readonly Placed[] {
    const body = node.type === 'TSInterfaceDeclaration' ? child(node, 'body') : undefined;
    const members = body === undefined ? children(node, 'members') : children(body, 'body');
    const own = members.filter((member) => nameOf(child(member, 'key')) === key);
    if (own.length > 0)
      return own.flatMap((member) => {
        if (member.type === 'TSMethodSignature') return [{ node: member, file }];
        const type = annotated(member);
        return type === undefined ? [] : this.#expand({ node: type, file });
      });
    return children(node, 'extends').flatMap((one) =>
      this.#expand({ node: implementedType(one), file }).flatMap((base) => this.#membersOf(base, key)),
    );
  }

  #returnOf({ node, file }: Placed): readonly Placed[] {
    const type = ['TSFunctionType', 'TSMethodSignature'].includes(node.type)
      ? annotated(node, 'returnType')
      : undefined;
    return type === undefined ? [] : this.#expand({ node: type, file });
  }

  #elementOf({ node, file }: Placed): readonly Placed[] {
    return node.type === 'TSArrayType' ? this.#expand({ node: child(node, 'elementType')!, file }) : [];
  }

  /** The types of what a function, or a class, that is called by its name takes. */
  #paramsOf(callee: Node | undefined, file: string): readonly (Placed | undefined)[] {
    const found = callee?.type === 'Identifier' ? this.#resolve(nameOf(callee), file) : undefined;
    if (found === undefined) return [];
    const made = children(child(found.node, 'body') ?? found.node, 'body').find((one) => one['kind'] === 'constructor');
    const called = found.node.type === 'ClassDeclaration' ? made && child(made, 'value') : found.node;
    return children(called ?? found.node, 'params').map((param) => {
      const type = annotated(param.type === 'AssignmentPattern' ? child(param, 'left') : param);
      return type === undefined ? undefined : { node: type, file: found.file };
    });
  }

  /** What a name means in a file. */
  #resolve(name: string, file: string, depth = 0): Placed | undefined {
    const source = this.#sources.get(file);
    const node = source?.declared.get(name);
    if (node !== undefined) return { node, file };
    const from = source?.imported.get(name);
    if (depth > 10) return undefined;
    if (from !== undefined) return this.#resolve(from.name, from.file, depth + 1);
    for (const other of source?.passed ?? []) {
      const found = this.#sources.get(other) && this.#resolve(name, other, depth + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function isType({ type }: Node): boolean {
  return /^TS/.test(type) && !['TSAsExpression', 'TSSatisfiesExpression', 'TSNonNullExpression'].includes(type);
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts');
}

function isOfTests(file: string): boolean {
  return isTest(file) || file.includes('/testing/');
}

/** Of `implements X<Y>` and `extends X<Y>`, as a reference to the type. */
function implementedType(one: Node): Node {
  return { type: 'TSTypeReference', typeName: child(one, 'expression'), typeArguments: child(one, 'typeArguments') };
}

function isPort(node: Node): boolean {
  if (node.type !== 'TSInterfaceDeclaration') return false;
  return children(child(node, 'body')!, 'body').some(({ type }) => type === 'TSMethodSignature');
}

function readSource(file: string, text: string): SourceFile {
  const program = parseSync(file, text).program as unknown as Node;
  const declared = new Map<string, Node>();
  const exported = new Set<string>();
  const imported = new Map<string, { readonly file: string; readonly name: string }>();
  const passed: string[] = [];
  const body = children(program, 'body');
  for (const statement of body) {
    const from = child(statement, 'source');
    const specifiers = children(statement, 'specifiers');
    if (from !== undefined) {
      const source = path.posix.join(path.posix.dirname(file), nameOf(from));
      if (statement.type === 'ExportAllDeclaration') passed.push(source);
      for (const one of specifiers) {
        const local = nameOf(child(one, 'local'));
        const isPassed = one.type === 'ExportSpecifier';
        const name = isPassed ? local : nameOf(child(one, 'imported'));
        imported.set(isPassed ? nameOf(child(one, 'exported')) : local, { file: source, name });
      }
      continue;
    }
    for (const one of specifiers) exported.add(nameOf(child(one, 'local')));
    const isExported = statement.type === 'ExportNamedDeclaration';
    const declaration = isExported ? child(statement, 'declaration') : statement;
    if (declaration === undefined) continue;
    const made =
      declaration.type === 'VariableDeclaration'
        ? children(declaration, 'declarations').map((one) => [nameOf(child(one, 'id')), child(one, 'init')] as const)
        : [[nameOf(child(declaration, 'id')), declaration] as const];
    for (const [name, node] of made) {
      if (name === '' || node === undefined) continue;
      declared.set(name, node);
      if (isExported) exported.add(name);
    }
  }
  return { body, declared, exported, imported, passed };
}
