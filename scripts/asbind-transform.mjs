// A transform for asc that writes the section `as-bind_bindings`, from which as-bind 0.8
// learns the types of a module's functions. as-bind's own transform targets
// AssemblyScript 0.19 and does not load in 0.28; this one replaces it.
//
// The section is JSON:
//   typeIds            class name -> { id: run-time type id, byteSize: size of its fields }
//   exportedFunctions  name -> { returnType, parameters: [type name] }
//   importedFunctions  module -> name -> the same
//
// Left out: generic functions (they have no single signature) and methods of exported
// classes; as-bind has no converters for either.
import { CommonFlags, ElementKind, NodeKind, SourceKind } from "assemblyscript";
import { Transform } from "assemblyscript/transform";

const FUNCTION_PROTOTYPE = ElementKind.FunctionPrototype;

function typeName(type) {
  return type.getClass()?.internalName ?? type.toString();
}

function describe(instance) {
  const { returnType, parameterTypes } = instance.signature;
  return { returnType: typeName(returnType), parameters: parameterTypes.map(typeName) };
}

/** Run-time ids of the classes that `type` needs: itself and its type arguments. */
function collectTypeIds(type, into) {
  const cls = type.getClass?.();
  if (!cls || cls.internalName in into) return;
  into[cls.internalName] = { id: cls.id, byteSize: cls.nextMemoryOffset };
  for (const argument of cls.typeArguments ?? []) collectTypeIds(argument, into);
}

/** The one compiled instance of a function without type parameters, or nothing. */
function soleInstance(element) {
  if (element.kind !== FUNCTION_PROTOTYPE || element.instances?.size !== 1) return undefined;
  return element.instances.get("");
}

/** Module and name under which a declared function is imported (see `@external`). */
function importName(element) {
  const external = element.declaration.decorators?.find((decorator) => decorator.name.text === "external");
  const args = external?.args ?? [];
  const file = element.file.internalName.split("/").pop();
  const inNamespace = element.parent.kind === ElementKind.Namespace;
  const own = inNamespace ? `${element.parent.name}.${element.name}` : element.name;
  return {
    module: args.length > 1 ? args[0].value : file,
    name: args.length > 0 ? args[args.length - 1].value : own,
  };
}

/** Every name that an entry file exports, aliases and `export *` included. */
function* exportsOf(file) {
  for (const [name, element] of file.exports ?? []) yield [name, element];
  for (const other of file.exportsStar ?? []) yield* exportsOf(other);
}

export default class AsBindSection extends Transform {
  afterCompile(module) {
    const typeIds = {};
    const exportedFunctions = {};
    const importedFunctions = {};

    const bind = (instance) => {
      collectTypeIds(instance.signature.returnType, typeIds);
      for (const type of instance.signature.parameterTypes) collectTypeIds(type, typeIds);
      return describe(instance);
    };

    for (const file of this.program.filesByName.values()) {
      if (file.source.sourceKind !== SourceKind.UserEntry) continue;
      for (const [name, element] of exportsOf(file)) {
        const instance = soleInstance(element);
        if (instance) exportedFunctions[name] = bind(instance);
      }
    }

    for (const element of this.program.elementsByDeclaration.values()) {
      if (element.internalName.startsWith("~")) continue;
      if (element.declaration.kind !== NodeKind.FunctionDeclaration || !element.is(CommonFlags.Declare)) continue;
      const instance = soleInstance(element);
      if (!instance) continue;
      const { module: from, name } = importName(element);
      importedFunctions[from] ??= {};
      importedFunctions[from][name] = bind(instance);
    }

    const section = JSON.stringify({ typeIds, importedFunctions, exportedFunctions });
    module.addCustomSection("as-bind_bindings", new TextEncoder().encode(section));
  }
}
