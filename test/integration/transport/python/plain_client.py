"""A plain gRPC client in another language: learns the protocol by reflection, then calls health and GetStatus.

Usage: plain_client.py <port> <file with the server's certificate in PEM>
Prints one JSON object.
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

port, certificate = sys.argv[1], open(sys.argv[2], "rb").read()
channel = grpc.secure_channel(
    f"localhost:{port}", grpc.ssl_channel_credentials(root_certificates=certificate)
)


def raw(method):
    return channel.unary_unary(method, lambda b: b, lambda b: b)


def reflect(*requests):
    """Answers of the reflection service as bytes; each request is a ServerReflectionRequest in wire format."""
    call = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", lambda b: b, lambda b: b
    )
    return list(call(iter(requests), timeout=10))


def field(number, data):
    return bytes([number << 3 | 2, len(data)]) + data


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """Length-delimited fields of a message, enough for reflection's answers."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        length, at = varint(data, at)
        if tag & 7 == 2:
            yield tag >> 3, data[at : at + length]
            at += length


listed, found, missing = reflect(
    field(7, b"*"), field(4, b"quorate.userapi.v1.UserService"), field(4, b"no.such.Thing")
)
services = [
    name.decode()
    for number, response in fields(listed)
    if number == 6
    for _, service in fields(response)
    for _, name in fields(service)
]
pool = descriptor_pool.DescriptorPool()
files = {}
for number, response in fields(found):
    if number == 4:
        for _, encoded in fields(response):
            proto = descriptor_pb2.FileDescriptorProto.FromString(encoded)
            files[proto.name] = proto


def add(name):
    for imported in files[name].dependency:
        add(imported)
    try:
        pool.FindFileByName(name)
    except KeyError:
        pool.Add(files[name])


for name in list(files):
    add(name)

factory = message_factory.MessageFactory(pool)
service = pool.FindServiceByName("quorate.userapi.v1.UserService")


def call(method, **arguments):
    described = service.FindMethodByName(method)
    request = factory.GetPrototype(described.input_type)(**arguments)
    response = factory.GetPrototype(described.output_type)()
    encoded = raw(f"/{service.full_name}/{method}")(request.SerializeToString(), timeout=10)
    response.ParseFromString(encoded)
    return response


def failure(action):
    try:
        action()
    except grpc.RpcError as error:
        trailers = {key: value for key, value in error.trailing_metadata()}
        return {
            "status": error.code().name,
            "message": error.details(),
            "detailBytes": len(trailers.get("quorate-error-bin", b"")),
        }
    return None


print(
    json.dumps(
        {
            "services": services,
            "files": sorted(files),
            "missing": any(number == 7 for number, _ in fields(missing)),
            "health": raw("/grpc.health.v1.Health/Check")(b"", timeout=10).hex(),
            "unknownHealth": failure(
                lambda: raw("/grpc.health.v1.Health/Check")(field(1, b"nobody"), timeout=10)
            ),
            "status": call("GetStatus").version,
            "malformed": failure(
                lambda: raw("/quorate.userapi.v1.UserService/Attest")(b"\xff\xff\xff", timeout=10)
            ),
            "faults": failure(lambda: call("SetManifest", manifest=b"{}")),
        }
    )
)
