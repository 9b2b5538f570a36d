/** `grpc.reflection.v1`: clients such as `grpcurl` ask the server for its own protocol. Reveals nothing but the proto files. */
import {
  type AnyDesc,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { type Service, service } from "../transport/grpc-service.ts";

type Answer = ServerReflectionResponse["messageResponse"];

/** The reflection service for these services, itself included. */
export function reflectionService<Peer>(services: readonly DescService[]): Service<Peer> {
  const index = indexOf([...services, ServerReflection]);
  return service<typeof ServerReflection, Peer>(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(request, index),
        };
      }
    },
  });
}

interface Index {
  readonly services: readonly string[];
  readonly files: ReadonlyMap<string, DescFile>;
  readonly fileOfSymbol: ReadonlyMap<string, DescFile>;
  readonly messages: ReadonlySet<string>;
}

function answer({ messageRequest: request }: ServerReflectionRequest, index: Index): Answer {
  switch (request.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: {
          $typeName: "grpc.reflection.v1.ListServiceResponse",
          service: index.services.map((name) => ({
            $typeName: "grpc.reflection.v1.ServiceResponse",
            name,
          })),
        },
      };
    case "fileByFilename":
      return files(index.files.get(request.value), `no file "${request.value}"`);
    case "fileContainingSymbol":
      return files(index.fileOfSymbol.get(request.value), `no symbol "${request.value}"`);
    case "allExtensionNumbersOfType":
      // The protocol has no extensions, so every message type has none.
      if (!index.messages.has(request.value)) return notFound(`no message "${request.value}"`);
      return {
        case: "allExtensionNumbersResponse",
        value: {
          $typeName: "grpc.reflection.v1.ExtensionNumberResponse",
          baseTypeName: request.value,
          extensionNumber: [],
        },
      };
    case "fileContainingExtension":
      return notFound("the protocol has no extensions");
    case undefined:
      return failure(status.INVALID_ARGUMENT, "the request asks for nothing");
  }
}

/** A file and all that it imports, directly or not. */
function files(file: DescFile | undefined, otherwise: string): Answer {
  if (file === undefined) return notFound(otherwise);
  return {
    case: "fileDescriptorResponse",
    value: {
      $typeName: "grpc.reflection.v1.FileDescriptorResponse",
      fileDescriptorProto: [...withImports(file)].map((each) =>
        toBinary(FileDescriptorProtoSchema, each.proto),
      ),
    },
  };
}

function notFound(message: string): Answer {
  return failure(status.NOT_FOUND, message);
}

function failure(errorCode: status, errorMessage: string): Answer {
  return {
    case: "errorResponse",
    value: { $typeName: "grpc.reflection.v1.ErrorResponse", errorCode, errorMessage },
  };
}

function indexOf(services: readonly DescService[]): Index {
  const all = new Set(services.flatMap(({ file }) => [...withImports(file)]));
  const fileOfSymbol = new Map<string, DescFile>();
  const messages = new Set<string>();
  for (const file of all) {
    for (const type of nestedTypes(file)) {
      if (type.kind === "message") messages.add(type.typeName);
      for (const symbol of symbolsOf(type)) fileOfSymbol.set(symbol, file);
    }
  }
  return {
    services: [...new Set(services.map(({ typeName }) => typeName))],
    files: new Map([...all].map((file) => [file.proto.name, file])),
    fileOfSymbol,
    messages,
  };
}

/** A type's full name, and those of its members. */
function symbolsOf(type: AnyDesc): readonly string[] {
  switch (type.kind) {
    case "message":
      return [type.typeName, ...memberNames(type)];
    case "service":
      return [type.typeName, ...type.methods.map(({ name }) => `${type.typeName}.${name}`)];
    case "enum": {
      // By protobuf's rule the values of an enum are its siblings.
      const scope = type.typeName.slice(0, type.typeName.lastIndexOf(".") + 1);
      return [type.typeName, ...type.values.map(({ name }) => scope + name)];
    }
    default:
      return [];
  }
}

function memberNames(message: DescMessage): readonly string[] {
  return [...message.fields, ...message.oneofs].map(({ name }) => `${message.typeName}.${name}`);
}

function withImports(file: DescFile, seen = new Set<DescFile>()): ReadonlySet<DescFile> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const imported of file.dependencies) withImports(imported, seen);
  return seen;
}
