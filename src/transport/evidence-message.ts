/** Evidence between its domain type and its protobuf message. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Evidence } from "../attestation/evidence.ts";
import {
  EvidenceSchema,
  Platform,
  type Evidence as EvidenceMessage,
} from "../gen/quorate/common/v1/evidence_pb.ts";

const PLATFORMS = { snp: Platform.SNP, tdx: Platform.TDX } as const;

/** The message of some evidence. */
export function evidenceToMessage(evidence: Evidence): EvidenceMessage {
  const fields: MessageInitShape<typeof EvidenceSchema> = {
    ...evidence,
    platform: PLATFORMS[evidence.platform],
  };
  return create(EvidenceSchema, fields);
}

/** The evidence of a message; its bytes are views into the message's buffer. `undefined` for an unknown platform. */
export function evidenceFromMessage(message: EvidenceMessage): Evidence | undefined {
  const { quote, certificates } = message;
  switch (message.platform) {
    case Platform.SNP:
      return { platform: "snp", quote, certificates };
    case Platform.TDX:
      return { platform: "tdx", quote, certificates };
    case Platform.UNSPECIFIED:
      return undefined;
    default:
      // A platform of a newer version.
      return undefined;
  }
}
