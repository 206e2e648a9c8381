import * as $protobuf from "protobufjs/minimal.js";
import Long = require("long");

/** Namespace moby. */
export namespace moby {

    /** Namespace buildkit. */
    namespace buildkit {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a BytesMessage.
             * @deprecated Use moby.buildkit.v1.BytesMessage.$Properties instead.
             */
            interface IBytesMessage extends moby.buildkit.v1.BytesMessage.$Properties {
            }

            /** Represents a BytesMessage. */
            class BytesMessage {

                /**
                 * Constructs a new BytesMessage.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.BytesMessage.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BytesMessage data. */
                data: Uint8Array;

                /**
                 * Encodes the specified BytesMessage message. Does not implicitly {@link moby.buildkit.v1.BytesMessage.verify|verify} messages.
                 * @param message BytesMessage message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.BytesMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BytesMessage message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.BytesMessage & moby.buildkit.v1.BytesMessage.$Shape} BytesMessage
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.BytesMessage & moby.buildkit.v1.BytesMessage.$Shape;
            }

            namespace BytesMessage {

                /** Properties of a BytesMessage. */
                interface $Properties {

                    /** BytesMessage data */
                    data?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BytesMessage. */
                type $Shape = moby.buildkit.v1.BytesMessage.$Properties;
            }

            /**
             * Properties of a DiskUsageRequest.
             * @deprecated Use moby.buildkit.v1.DiskUsageRequest.$Properties instead.
             */
            interface IDiskUsageRequest extends moby.buildkit.v1.DiskUsageRequest.$Properties {
            }

            /** Represents a DiskUsageRequest. */
            class DiskUsageRequest {

                /**
                 * Constructs a new DiskUsageRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.DiskUsageRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** DiskUsageRequest filter. */
                filter: string[];

                /** DiskUsageRequest ageLimit. */
                ageLimit: (number|Long);

                /**
                 * Encodes the specified DiskUsageRequest message. Does not implicitly {@link moby.buildkit.v1.DiskUsageRequest.verify|verify} messages.
                 * @param message DiskUsageRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.DiskUsageRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a DiskUsageRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.DiskUsageRequest & moby.buildkit.v1.DiskUsageRequest.$Shape} DiskUsageRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.DiskUsageRequest & moby.buildkit.v1.DiskUsageRequest.$Shape;
            }

            namespace DiskUsageRequest {

                /** Properties of a DiskUsageRequest. */
                interface $Properties {

                    /** DiskUsageRequest filter */
                    filter?: (string[]|null);

                    /** DiskUsageRequest ageLimit */
                    ageLimit?: (number|Long|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a DiskUsageRequest. */
                type $Shape = moby.buildkit.v1.DiskUsageRequest.$Properties;
            }

            /**
             * Properties of a DiskUsageResponse.
             * @deprecated Use moby.buildkit.v1.DiskUsageResponse.$Properties instead.
             */
            interface IDiskUsageResponse extends moby.buildkit.v1.DiskUsageResponse.$Properties {
            }

            /** Represents a DiskUsageResponse. */
            class DiskUsageResponse {

                /**
                 * Constructs a new DiskUsageResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.DiskUsageResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** DiskUsageResponse record. */
                record: moby.buildkit.v1.UsageRecord.$Properties[];

                /**
                 * Encodes the specified DiskUsageResponse message. Does not implicitly {@link moby.buildkit.v1.DiskUsageResponse.verify|verify} messages.
                 * @param message DiskUsageResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.DiskUsageResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a DiskUsageResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.DiskUsageResponse & moby.buildkit.v1.DiskUsageResponse.$Shape} DiskUsageResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.DiskUsageResponse & moby.buildkit.v1.DiskUsageResponse.$Shape;
            }

            namespace DiskUsageResponse {

                /** Properties of a DiskUsageResponse. */
                interface $Properties {

                    /** DiskUsageResponse record */
                    record?: (moby.buildkit.v1.UsageRecord.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a DiskUsageResponse. */
                type $Shape = moby.buildkit.v1.DiskUsageResponse.$Properties;
            }

            /**
             * Properties of a PruneRequest.
             * @deprecated Use moby.buildkit.v1.PruneRequest.$Properties instead.
             */
            interface IPruneRequest extends moby.buildkit.v1.PruneRequest.$Properties {
            }

            /** Represents a PruneRequest. */
            class PruneRequest {

                /**
                 * Constructs a new PruneRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.PruneRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** PruneRequest filter. */
                filter: string[];

                /** PruneRequest all. */
                all: boolean;

                /** PruneRequest keepDuration. */
                keepDuration: (number|Long);

                /** PruneRequest reservedSpace. */
                reservedSpace: (number|Long);

                /** PruneRequest maxUsedSpace. */
                maxUsedSpace: (number|Long);

                /** PruneRequest minFreeSpace. */
                minFreeSpace: (number|Long);

                /**
                 * Encodes the specified PruneRequest message. Does not implicitly {@link moby.buildkit.v1.PruneRequest.verify|verify} messages.
                 * @param message PruneRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.PruneRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a PruneRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.PruneRequest & moby.buildkit.v1.PruneRequest.$Shape} PruneRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.PruneRequest & moby.buildkit.v1.PruneRequest.$Shape;
            }

            namespace PruneRequest {

                /** Properties of a PruneRequest. */
                interface $Properties {

                    /** PruneRequest filter */
                    filter?: (string[]|null);

                    /** PruneRequest all */
                    all?: (boolean|null);

                    /** PruneRequest keepDuration */
                    keepDuration?: (number|Long|null);

                    /** PruneRequest reservedSpace */
                    reservedSpace?: (number|Long|null);

                    /** PruneRequest maxUsedSpace */
                    maxUsedSpace?: (number|Long|null);

                    /** PruneRequest minFreeSpace */
                    minFreeSpace?: (number|Long|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a PruneRequest. */
                type $Shape = moby.buildkit.v1.PruneRequest.$Properties;
            }

            /**
             * Properties of a UsageRecord.
             * @deprecated Use moby.buildkit.v1.UsageRecord.$Properties instead.
             */
            interface IUsageRecord extends moby.buildkit.v1.UsageRecord.$Properties {
            }

            /** Represents a UsageRecord. */
            class UsageRecord {

                /**
                 * Constructs a new UsageRecord.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.UsageRecord.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** UsageRecord id. */
                id: string;

                /** UsageRecord mutable. */
                mutable: boolean;

                /** UsageRecord inUse. */
                inUse: boolean;

                /** UsageRecord size. */
                size: (number|Long);

                /** UsageRecord parent. */
                parent: string;

                /** UsageRecord createdAt. */
                createdAt?: (google.protobuf.Timestamp.$Properties|null);

                /** UsageRecord lastUsedAt. */
                lastUsedAt?: (google.protobuf.Timestamp.$Properties|null);

                /** UsageRecord usageCount. */
                usageCount: (number|Long);

                /** UsageRecord description. */
                description: string;

                /** UsageRecord recordType. */
                recordType: string;

                /** UsageRecord shared. */
                shared: boolean;

                /** UsageRecord parents. */
                parents: string[];

                /**
                 * Encodes the specified UsageRecord message. Does not implicitly {@link moby.buildkit.v1.UsageRecord.verify|verify} messages.
                 * @param message UsageRecord message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.UsageRecord.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a UsageRecord message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.UsageRecord & moby.buildkit.v1.UsageRecord.$Shape} UsageRecord
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.UsageRecord & moby.buildkit.v1.UsageRecord.$Shape;
            }

            namespace UsageRecord {

                /** Properties of a UsageRecord. */
                interface $Properties {

                    /** UsageRecord id */
                    id?: (string|null);

                    /** UsageRecord mutable */
                    mutable?: (boolean|null);

                    /** UsageRecord inUse */
                    inUse?: (boolean|null);

                    /** UsageRecord size */
                    size?: (number|Long|null);

                    /** UsageRecord parent */
                    parent?: (string|null);

                    /** UsageRecord createdAt */
                    createdAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** UsageRecord lastUsedAt */
                    lastUsedAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** UsageRecord usageCount */
                    usageCount?: (number|Long|null);

                    /** UsageRecord description */
                    description?: (string|null);

                    /** UsageRecord recordType */
                    recordType?: (string|null);

                    /** UsageRecord shared */
                    shared?: (boolean|null);

                    /** UsageRecord parents */
                    parents?: (string[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a UsageRecord. */
                type $Shape = moby.buildkit.v1.UsageRecord.$Properties;
            }

            /**
             * Properties of a SolveRequest.
             * @deprecated Use moby.buildkit.v1.SolveRequest.$Properties instead.
             */
            interface ISolveRequest extends moby.buildkit.v1.SolveRequest.$Properties {
            }

            /** Represents a SolveRequest. */
            class SolveRequest {

                /**
                 * Constructs a new SolveRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.SolveRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** SolveRequest ref. */
                ref: string;

                /** SolveRequest definition. */
                definition: Uint8Array;

                /** SolveRequest exporterDeprecated. */
                exporterDeprecated: string;

                /** SolveRequest exporterAttrsDeprecated. */
                exporterAttrsDeprecated: { [k: string]: string };

                /** SolveRequest session. */
                session: string;

                /** SolveRequest frontend. */
                frontend: string;

                /** SolveRequest frontendAttrs. */
                frontendAttrs: { [k: string]: string };

                /** SolveRequest cache. */
                cache?: (moby.buildkit.v1.CacheOptions.$Properties|null);

                /** SolveRequest entitlements. */
                entitlements: string[];

                /** SolveRequest frontendInputs. */
                frontendInputs: { [k: string]: Uint8Array };

                /** SolveRequest internal. */
                internal: boolean;

                /** SolveRequest sourcePolicy. */
                sourcePolicy?: (moby.buildkit.v1.sourcepolicy.Policy.$Properties|null);

                /** SolveRequest exporters. */
                exporters: moby.buildkit.v1.Exporter.$Properties[];

                /** SolveRequest enableSessionExporter. */
                enableSessionExporter: boolean;

                /** SolveRequest sourcePolicySession. */
                sourcePolicySession: string;

                /** SolveRequest compatibilityVersion. */
                compatibilityVersion: (number|Long);

                /** SolveRequest proxyNetwork. */
                proxyNetwork: boolean;

                /**
                 * Encodes the specified SolveRequest message. Does not implicitly {@link moby.buildkit.v1.SolveRequest.verify|verify} messages.
                 * @param message SolveRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.SolveRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a SolveRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.SolveRequest & moby.buildkit.v1.SolveRequest.$Shape} SolveRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.SolveRequest & moby.buildkit.v1.SolveRequest.$Shape;
            }

            namespace SolveRequest {

                /** Properties of a SolveRequest. */
                interface $Properties {

                    /** SolveRequest ref */
                    ref?: (string|null);

                    /** SolveRequest definition */
                    definition?: (Uint8Array|null);

                    /** SolveRequest exporterDeprecated */
                    exporterDeprecated?: (string|null);

                    /** SolveRequest exporterAttrsDeprecated */
                    exporterAttrsDeprecated?: ({ [k: string]: string }|null);

                    /** SolveRequest session */
                    session?: (string|null);

                    /** SolveRequest frontend */
                    frontend?: (string|null);

                    /** SolveRequest frontendAttrs */
                    frontendAttrs?: ({ [k: string]: string }|null);

                    /** SolveRequest cache */
                    cache?: (moby.buildkit.v1.CacheOptions.$Properties|null);

                    /** SolveRequest entitlements */
                    entitlements?: (string[]|null);

                    /** SolveRequest frontendInputs */
                    frontendInputs?: ({ [k: string]: Uint8Array }|null);

                    /** SolveRequest internal */
                    internal?: (boolean|null);

                    /** SolveRequest sourcePolicy */
                    sourcePolicy?: (moby.buildkit.v1.sourcepolicy.Policy.$Properties|null);

                    /** SolveRequest exporters */
                    exporters?: (moby.buildkit.v1.Exporter.$Properties[]|null);

                    /** SolveRequest enableSessionExporter */
                    enableSessionExporter?: (boolean|null);

                    /** SolveRequest sourcePolicySession */
                    sourcePolicySession?: (string|null);

                    /** SolveRequest compatibilityVersion */
                    compatibilityVersion?: (number|Long|null);

                    /** SolveRequest proxyNetwork */
                    proxyNetwork?: (boolean|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a SolveRequest. */
                type $Shape = moby.buildkit.v1.SolveRequest.$Properties;
            }

            /**
             * Properties of a CacheOptions.
             * @deprecated Use moby.buildkit.v1.CacheOptions.$Properties instead.
             */
            interface ICacheOptions extends moby.buildkit.v1.CacheOptions.$Properties {
            }

            /** Represents a CacheOptions. */
            class CacheOptions {

                /**
                 * Constructs a new CacheOptions.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.CacheOptions.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CacheOptions exportRefDeprecated. */
                exportRefDeprecated: string;

                /** CacheOptions importRefsDeprecated. */
                importRefsDeprecated: string[];

                /** CacheOptions exportAttrsDeprecated. */
                exportAttrsDeprecated: { [k: string]: string };

                /** CacheOptions exports. */
                exports: moby.buildkit.v1.CacheOptionsEntry.$Properties[];

                /** CacheOptions imports. */
                imports: moby.buildkit.v1.CacheOptionsEntry.$Properties[];

                /**
                 * Encodes the specified CacheOptions message. Does not implicitly {@link moby.buildkit.v1.CacheOptions.verify|verify} messages.
                 * @param message CacheOptions message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.CacheOptions.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CacheOptions message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.CacheOptions & moby.buildkit.v1.CacheOptions.$Shape} CacheOptions
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.CacheOptions & moby.buildkit.v1.CacheOptions.$Shape;
            }

            namespace CacheOptions {

                /** Properties of a CacheOptions. */
                interface $Properties {

                    /** CacheOptions exportRefDeprecated */
                    exportRefDeprecated?: (string|null);

                    /** CacheOptions importRefsDeprecated */
                    importRefsDeprecated?: (string[]|null);

                    /** CacheOptions exportAttrsDeprecated */
                    exportAttrsDeprecated?: ({ [k: string]: string }|null);

                    /** CacheOptions exports */
                    exports?: (moby.buildkit.v1.CacheOptionsEntry.$Properties[]|null);

                    /** CacheOptions imports */
                    imports?: (moby.buildkit.v1.CacheOptionsEntry.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CacheOptions. */
                type $Shape = moby.buildkit.v1.CacheOptions.$Properties;
            }

            /**
             * Properties of a CacheOptionsEntry.
             * @deprecated Use moby.buildkit.v1.CacheOptionsEntry.$Properties instead.
             */
            interface ICacheOptionsEntry extends moby.buildkit.v1.CacheOptionsEntry.$Properties {
            }

            /** Represents a CacheOptionsEntry. */
            class CacheOptionsEntry {

                /**
                 * Constructs a new CacheOptionsEntry.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.CacheOptionsEntry.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CacheOptionsEntry type. */
                type: string;

                /** CacheOptionsEntry attrs. */
                attrs: { [k: string]: string };

                /**
                 * Encodes the specified CacheOptionsEntry message. Does not implicitly {@link moby.buildkit.v1.CacheOptionsEntry.verify|verify} messages.
                 * @param message CacheOptionsEntry message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.CacheOptionsEntry.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CacheOptionsEntry message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.CacheOptionsEntry & moby.buildkit.v1.CacheOptionsEntry.$Shape} CacheOptionsEntry
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.CacheOptionsEntry & moby.buildkit.v1.CacheOptionsEntry.$Shape;
            }

            namespace CacheOptionsEntry {

                /** Properties of a CacheOptionsEntry. */
                interface $Properties {

                    /** CacheOptionsEntry type */
                    type?: (string|null);

                    /** CacheOptionsEntry attrs */
                    attrs?: ({ [k: string]: string }|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CacheOptionsEntry. */
                type $Shape = moby.buildkit.v1.CacheOptionsEntry.$Properties;
            }

            /**
             * Properties of a SolveResponse.
             * @deprecated Use moby.buildkit.v1.SolveResponse.$Properties instead.
             */
            interface ISolveResponse extends moby.buildkit.v1.SolveResponse.$Properties {
            }

            /** Represents a SolveResponse. */
            class SolveResponse {

                /**
                 * Constructs a new SolveResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.SolveResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** SolveResponse exporterResponse. */
                exporterResponse: { [k: string]: string };

                /**
                 * Encodes the specified SolveResponse message. Does not implicitly {@link moby.buildkit.v1.SolveResponse.verify|verify} messages.
                 * @param message SolveResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.SolveResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a SolveResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.SolveResponse & moby.buildkit.v1.SolveResponse.$Shape} SolveResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.SolveResponse & moby.buildkit.v1.SolveResponse.$Shape;
            }

            namespace SolveResponse {

                /** Properties of a SolveResponse. */
                interface $Properties {

                    /** SolveResponse exporterResponse */
                    exporterResponse?: ({ [k: string]: string }|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a SolveResponse. */
                type $Shape = moby.buildkit.v1.SolveResponse.$Properties;
            }

            /**
             * Properties of an Exporter.
             * @deprecated Use moby.buildkit.v1.Exporter.$Properties instead.
             */
            interface IExporter extends moby.buildkit.v1.Exporter.$Properties {
            }

            /** Represents an Exporter. */
            class Exporter {

                /**
                 * Constructs a new Exporter.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.Exporter.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Exporter type. */
                type: string;

                /** Exporter attrs. */
                attrs: { [k: string]: string };

                /**
                 * Encodes the specified Exporter message. Does not implicitly {@link moby.buildkit.v1.Exporter.verify|verify} messages.
                 * @param message Exporter message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.Exporter.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an Exporter message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.Exporter & moby.buildkit.v1.Exporter.$Shape} Exporter
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.Exporter & moby.buildkit.v1.Exporter.$Shape;
            }

            namespace Exporter {

                /** Properties of an Exporter. */
                interface $Properties {

                    /** Exporter type */
                    type?: (string|null);

                    /** Exporter attrs */
                    attrs?: ({ [k: string]: string }|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an Exporter. */
                type $Shape = moby.buildkit.v1.Exporter.$Properties;
            }

            /**
             * Properties of a StatusRequest.
             * @deprecated Use moby.buildkit.v1.StatusRequest.$Properties instead.
             */
            interface IStatusRequest extends moby.buildkit.v1.StatusRequest.$Properties {
            }

            /** Represents a StatusRequest. */
            class StatusRequest {

                /**
                 * Constructs a new StatusRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.StatusRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** StatusRequest ref. */
                ref: string;

                /**
                 * Encodes the specified StatusRequest message. Does not implicitly {@link moby.buildkit.v1.StatusRequest.verify|verify} messages.
                 * @param message StatusRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.StatusRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a StatusRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.StatusRequest & moby.buildkit.v1.StatusRequest.$Shape} StatusRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.StatusRequest & moby.buildkit.v1.StatusRequest.$Shape;
            }

            namespace StatusRequest {

                /** Properties of a StatusRequest. */
                interface $Properties {

                    /** StatusRequest ref */
                    ref?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a StatusRequest. */
                type $Shape = moby.buildkit.v1.StatusRequest.$Properties;
            }

            /**
             * Properties of a StatusResponse.
             * @deprecated Use moby.buildkit.v1.StatusResponse.$Properties instead.
             */
            interface IStatusResponse extends moby.buildkit.v1.StatusResponse.$Properties {
            }

            /** Represents a StatusResponse. */
            class StatusResponse {

                /**
                 * Constructs a new StatusResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.StatusResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** StatusResponse vertexes. */
                vertexes: moby.buildkit.v1.Vertex.$Properties[];

                /** StatusResponse statuses. */
                statuses: moby.buildkit.v1.VertexStatus.$Properties[];

                /** StatusResponse logs. */
                logs: moby.buildkit.v1.VertexLog.$Properties[];

                /** StatusResponse warnings. */
                warnings: moby.buildkit.v1.VertexWarning.$Properties[];

                /**
                 * Encodes the specified StatusResponse message. Does not implicitly {@link moby.buildkit.v1.StatusResponse.verify|verify} messages.
                 * @param message StatusResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.StatusResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a StatusResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.StatusResponse & moby.buildkit.v1.StatusResponse.$Shape} StatusResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.StatusResponse & moby.buildkit.v1.StatusResponse.$Shape;
            }

            namespace StatusResponse {

                /** Properties of a StatusResponse. */
                interface $Properties {

                    /** StatusResponse vertexes */
                    vertexes?: (moby.buildkit.v1.Vertex.$Properties[]|null);

                    /** StatusResponse statuses */
                    statuses?: (moby.buildkit.v1.VertexStatus.$Properties[]|null);

                    /** StatusResponse logs */
                    logs?: (moby.buildkit.v1.VertexLog.$Properties[]|null);

                    /** StatusResponse warnings */
                    warnings?: (moby.buildkit.v1.VertexWarning.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a StatusResponse. */
                type $Shape = moby.buildkit.v1.StatusResponse.$Properties;
            }

            /**
             * Properties of a Vertex.
             * @deprecated Use moby.buildkit.v1.Vertex.$Properties instead.
             */
            interface IVertex extends moby.buildkit.v1.Vertex.$Properties {
            }

            /** Represents a Vertex. */
            class Vertex {

                /**
                 * Constructs a new Vertex.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.Vertex.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Vertex digest. */
                digest: string;

                /** Vertex inputs. */
                inputs: string[];

                /** Vertex name. */
                name: string;

                /** Vertex cached. */
                cached: boolean;

                /** Vertex started. */
                started?: (google.protobuf.Timestamp.$Properties|null);

                /** Vertex completed. */
                completed?: (google.protobuf.Timestamp.$Properties|null);

                /** Vertex error. */
                error: string;

                /** Vertex progressGroup. */
                progressGroup?: (pb.ProgressGroup.$Properties|null);

                /**
                 * Encodes the specified Vertex message. Does not implicitly {@link moby.buildkit.v1.Vertex.verify|verify} messages.
                 * @param message Vertex message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.Vertex.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Vertex message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.Vertex & moby.buildkit.v1.Vertex.$Shape} Vertex
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.Vertex & moby.buildkit.v1.Vertex.$Shape;
            }

            namespace Vertex {

                /** Properties of a Vertex. */
                interface $Properties {

                    /** Vertex digest */
                    digest?: (string|null);

                    /** Vertex inputs */
                    inputs?: (string[]|null);

                    /** Vertex name */
                    name?: (string|null);

                    /** Vertex cached */
                    cached?: (boolean|null);

                    /** Vertex started */
                    started?: (google.protobuf.Timestamp.$Properties|null);

                    /** Vertex completed */
                    completed?: (google.protobuf.Timestamp.$Properties|null);

                    /** Vertex error */
                    error?: (string|null);

                    /** Vertex progressGroup */
                    progressGroup?: (pb.ProgressGroup.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Vertex. */
                type $Shape = moby.buildkit.v1.Vertex.$Properties;
            }

            /**
             * Properties of a VertexStatus.
             * @deprecated Use moby.buildkit.v1.VertexStatus.$Properties instead.
             */
            interface IVertexStatus extends moby.buildkit.v1.VertexStatus.$Properties {
            }

            /** Represents a VertexStatus. */
            class VertexStatus {

                /**
                 * Constructs a new VertexStatus.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.VertexStatus.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** VertexStatus id. */
                id: string;

                /** VertexStatus vertex. */
                vertex: string;

                /** VertexStatus name. */
                name: string;

                /** VertexStatus current. */
                current: (number|Long);

                /** VertexStatus total. */
                total: (number|Long);

                /** VertexStatus timestamp. */
                timestamp?: (google.protobuf.Timestamp.$Properties|null);

                /** VertexStatus started. */
                started?: (google.protobuf.Timestamp.$Properties|null);

                /** VertexStatus completed. */
                completed?: (google.protobuf.Timestamp.$Properties|null);

                /**
                 * Encodes the specified VertexStatus message. Does not implicitly {@link moby.buildkit.v1.VertexStatus.verify|verify} messages.
                 * @param message VertexStatus message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.VertexStatus.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a VertexStatus message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.VertexStatus & moby.buildkit.v1.VertexStatus.$Shape} VertexStatus
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.VertexStatus & moby.buildkit.v1.VertexStatus.$Shape;
            }

            namespace VertexStatus {

                /** Properties of a VertexStatus. */
                interface $Properties {

                    /** VertexStatus id */
                    id?: (string|null);

                    /** VertexStatus vertex */
                    vertex?: (string|null);

                    /** VertexStatus name */
                    name?: (string|null);

                    /** VertexStatus current */
                    current?: (number|Long|null);

                    /** VertexStatus total */
                    total?: (number|Long|null);

                    /** VertexStatus timestamp */
                    timestamp?: (google.protobuf.Timestamp.$Properties|null);

                    /** VertexStatus started */
                    started?: (google.protobuf.Timestamp.$Properties|null);

                    /** VertexStatus completed */
                    completed?: (google.protobuf.Timestamp.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a VertexStatus. */
                type $Shape = moby.buildkit.v1.VertexStatus.$Properties;
            }

            /**
             * Properties of a VertexLog.
             * @deprecated Use moby.buildkit.v1.VertexLog.$Properties instead.
             */
            interface IVertexLog extends moby.buildkit.v1.VertexLog.$Properties {
            }

            /** Represents a VertexLog. */
            class VertexLog {

                /**
                 * Constructs a new VertexLog.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.VertexLog.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** VertexLog vertex. */
                vertex: string;

                /** VertexLog timestamp. */
                timestamp?: (google.protobuf.Timestamp.$Properties|null);

                /** VertexLog stream. */
                stream: (number|Long);

                /** VertexLog msg. */
                msg: Uint8Array;

                /**
                 * Encodes the specified VertexLog message. Does not implicitly {@link moby.buildkit.v1.VertexLog.verify|verify} messages.
                 * @param message VertexLog message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.VertexLog.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a VertexLog message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.VertexLog & moby.buildkit.v1.VertexLog.$Shape} VertexLog
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.VertexLog & moby.buildkit.v1.VertexLog.$Shape;
            }

            namespace VertexLog {

                /** Properties of a VertexLog. */
                interface $Properties {

                    /** VertexLog vertex */
                    vertex?: (string|null);

                    /** VertexLog timestamp */
                    timestamp?: (google.protobuf.Timestamp.$Properties|null);

                    /** VertexLog stream */
                    stream?: (number|Long|null);

                    /** VertexLog msg */
                    msg?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a VertexLog. */
                type $Shape = moby.buildkit.v1.VertexLog.$Properties;
            }

            /**
             * Properties of a VertexWarning.
             * @deprecated Use moby.buildkit.v1.VertexWarning.$Properties instead.
             */
            interface IVertexWarning extends moby.buildkit.v1.VertexWarning.$Properties {
            }

            /** Represents a VertexWarning. */
            class VertexWarning {

                /**
                 * Constructs a new VertexWarning.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.VertexWarning.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** VertexWarning vertex. */
                vertex: string;

                /** VertexWarning level. */
                level: (number|Long);

                /** VertexWarning short. */
                short: Uint8Array;

                /** VertexWarning detail. */
                detail: Uint8Array[];

                /** VertexWarning url. */
                url: string;

                /** VertexWarning info. */
                info?: (pb.SourceInfo.$Properties|null);

                /** VertexWarning ranges. */
                ranges: pb.Range.$Properties[];

                /**
                 * Encodes the specified VertexWarning message. Does not implicitly {@link moby.buildkit.v1.VertexWarning.verify|verify} messages.
                 * @param message VertexWarning message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.VertexWarning.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a VertexWarning message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.VertexWarning & moby.buildkit.v1.VertexWarning.$Shape} VertexWarning
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.VertexWarning & moby.buildkit.v1.VertexWarning.$Shape;
            }

            namespace VertexWarning {

                /** Properties of a VertexWarning. */
                interface $Properties {

                    /** VertexWarning vertex */
                    vertex?: (string|null);

                    /** VertexWarning level */
                    level?: (number|Long|null);

                    /** VertexWarning short */
                    short?: (Uint8Array|null);

                    /** VertexWarning detail */
                    detail?: (Uint8Array[]|null);

                    /** VertexWarning url */
                    url?: (string|null);

                    /** VertexWarning info */
                    info?: (pb.SourceInfo.$Properties|null);

                    /** VertexWarning ranges */
                    ranges?: (pb.Range.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a VertexWarning. */
                type $Shape = moby.buildkit.v1.VertexWarning.$Properties;
            }

            /**
             * Properties of a ListWorkersRequest.
             * @deprecated Use moby.buildkit.v1.ListWorkersRequest.$Properties instead.
             */
            interface IListWorkersRequest extends moby.buildkit.v1.ListWorkersRequest.$Properties {
            }

            /** Represents a ListWorkersRequest. */
            class ListWorkersRequest {

                /**
                 * Constructs a new ListWorkersRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.ListWorkersRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** ListWorkersRequest filter. */
                filter: string[];

                /**
                 * Encodes the specified ListWorkersRequest message. Does not implicitly {@link moby.buildkit.v1.ListWorkersRequest.verify|verify} messages.
                 * @param message ListWorkersRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.ListWorkersRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a ListWorkersRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.ListWorkersRequest & moby.buildkit.v1.ListWorkersRequest.$Shape} ListWorkersRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.ListWorkersRequest & moby.buildkit.v1.ListWorkersRequest.$Shape;
            }

            namespace ListWorkersRequest {

                /** Properties of a ListWorkersRequest. */
                interface $Properties {

                    /** ListWorkersRequest filter */
                    filter?: (string[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a ListWorkersRequest. */
                type $Shape = moby.buildkit.v1.ListWorkersRequest.$Properties;
            }

            /**
             * Properties of a ListWorkersResponse.
             * @deprecated Use moby.buildkit.v1.ListWorkersResponse.$Properties instead.
             */
            interface IListWorkersResponse extends moby.buildkit.v1.ListWorkersResponse.$Properties {
            }

            /** Represents a ListWorkersResponse. */
            class ListWorkersResponse {

                /**
                 * Constructs a new ListWorkersResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.ListWorkersResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** ListWorkersResponse record. */
                record: moby.buildkit.v1.types.WorkerRecord.$Properties[];

                /**
                 * Encodes the specified ListWorkersResponse message. Does not implicitly {@link moby.buildkit.v1.ListWorkersResponse.verify|verify} messages.
                 * @param message ListWorkersResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.ListWorkersResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a ListWorkersResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.ListWorkersResponse & moby.buildkit.v1.ListWorkersResponse.$Shape} ListWorkersResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.ListWorkersResponse & moby.buildkit.v1.ListWorkersResponse.$Shape;
            }

            namespace ListWorkersResponse {

                /** Properties of a ListWorkersResponse. */
                interface $Properties {

                    /** ListWorkersResponse record */
                    record?: (moby.buildkit.v1.types.WorkerRecord.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a ListWorkersResponse. */
                type $Shape = moby.buildkit.v1.ListWorkersResponse.$Properties;
            }

            /**
             * Properties of an InfoRequest.
             * @deprecated Use moby.buildkit.v1.InfoRequest.$Properties instead.
             */
            interface IInfoRequest extends moby.buildkit.v1.InfoRequest.$Properties {
            }

            /** Represents an InfoRequest. */
            class InfoRequest {

                /**
                 * Constructs a new InfoRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.InfoRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /**
                 * Encodes the specified InfoRequest message. Does not implicitly {@link moby.buildkit.v1.InfoRequest.verify|verify} messages.
                 * @param message InfoRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.InfoRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an InfoRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.InfoRequest & moby.buildkit.v1.InfoRequest.$Shape} InfoRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.InfoRequest & moby.buildkit.v1.InfoRequest.$Shape;
            }

            namespace InfoRequest {

                /** Properties of an InfoRequest. */
                interface $Properties {

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an InfoRequest. */
                type $Shape = moby.buildkit.v1.InfoRequest.$Properties;
            }

            /**
             * Properties of an InfoResponse.
             * @deprecated Use moby.buildkit.v1.InfoResponse.$Properties instead.
             */
            interface IInfoResponse extends moby.buildkit.v1.InfoResponse.$Properties {
            }

            /** Represents an InfoResponse. */
            class InfoResponse {

                /**
                 * Constructs a new InfoResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.InfoResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** InfoResponse buildkitVersion. */
                buildkitVersion?: (moby.buildkit.v1.types.BuildkitVersion.$Properties|null);

                /**
                 * Encodes the specified InfoResponse message. Does not implicitly {@link moby.buildkit.v1.InfoResponse.verify|verify} messages.
                 * @param message InfoResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.InfoResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an InfoResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.InfoResponse & moby.buildkit.v1.InfoResponse.$Shape} InfoResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.InfoResponse & moby.buildkit.v1.InfoResponse.$Shape;
            }

            namespace InfoResponse {

                /** Properties of an InfoResponse. */
                interface $Properties {

                    /** InfoResponse buildkitVersion */
                    buildkitVersion?: (moby.buildkit.v1.types.BuildkitVersion.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an InfoResponse. */
                type $Shape = moby.buildkit.v1.InfoResponse.$Properties;
            }

            /**
             * Properties of a BuildHistoryRequest.
             * @deprecated Use moby.buildkit.v1.BuildHistoryRequest.$Properties instead.
             */
            interface IBuildHistoryRequest extends moby.buildkit.v1.BuildHistoryRequest.$Properties {
            }

            /** Represents a BuildHistoryRequest. */
            class BuildHistoryRequest {

                /**
                 * Constructs a new BuildHistoryRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.BuildHistoryRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BuildHistoryRequest activeOnly. */
                activeOnly: boolean;

                /** BuildHistoryRequest ref. */
                ref: string;

                /** BuildHistoryRequest earlyExit. */
                earlyExit: boolean;

                /** BuildHistoryRequest filter. */
                filter: string[];

                /** BuildHistoryRequest limit. */
                limit: number;

                /**
                 * Encodes the specified BuildHistoryRequest message. Does not implicitly {@link moby.buildkit.v1.BuildHistoryRequest.verify|verify} messages.
                 * @param message BuildHistoryRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.BuildHistoryRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BuildHistoryRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.BuildHistoryRequest & moby.buildkit.v1.BuildHistoryRequest.$Shape} BuildHistoryRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.BuildHistoryRequest & moby.buildkit.v1.BuildHistoryRequest.$Shape;
            }

            namespace BuildHistoryRequest {

                /** Properties of a BuildHistoryRequest. */
                interface $Properties {

                    /** BuildHistoryRequest activeOnly */
                    activeOnly?: (boolean|null);

                    /** BuildHistoryRequest ref */
                    ref?: (string|null);

                    /** BuildHistoryRequest earlyExit */
                    earlyExit?: (boolean|null);

                    /** BuildHistoryRequest filter */
                    filter?: (string[]|null);

                    /** BuildHistoryRequest limit */
                    limit?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BuildHistoryRequest. */
                type $Shape = moby.buildkit.v1.BuildHistoryRequest.$Properties;
            }

            /** BuildHistoryEventType enum. */
            enum BuildHistoryEventType {

                /** STARTED value */
                STARTED = 0,

                /** COMPLETE value */
                COMPLETE = 1,

                /** DELETED value */
                DELETED = 2
            }

            /**
             * Properties of a BuildHistoryEvent.
             * @deprecated Use moby.buildkit.v1.BuildHistoryEvent.$Properties instead.
             */
            interface IBuildHistoryEvent extends moby.buildkit.v1.BuildHistoryEvent.$Properties {
            }

            /** Represents a BuildHistoryEvent. */
            class BuildHistoryEvent {

                /**
                 * Constructs a new BuildHistoryEvent.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.BuildHistoryEvent.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BuildHistoryEvent type. */
                type: moby.buildkit.v1.BuildHistoryEventType;

                /** BuildHistoryEvent record. */
                record?: (moby.buildkit.v1.BuildHistoryRecord.$Properties|null);

                /**
                 * Encodes the specified BuildHistoryEvent message. Does not implicitly {@link moby.buildkit.v1.BuildHistoryEvent.verify|verify} messages.
                 * @param message BuildHistoryEvent message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.BuildHistoryEvent.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BuildHistoryEvent message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.BuildHistoryEvent & moby.buildkit.v1.BuildHistoryEvent.$Shape} BuildHistoryEvent
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.BuildHistoryEvent & moby.buildkit.v1.BuildHistoryEvent.$Shape;
            }

            namespace BuildHistoryEvent {

                /** Properties of a BuildHistoryEvent. */
                interface $Properties {

                    /** BuildHistoryEvent type */
                    type?: (moby.buildkit.v1.BuildHistoryEventType|null);

                    /** BuildHistoryEvent record */
                    record?: (moby.buildkit.v1.BuildHistoryRecord.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BuildHistoryEvent. */
                type $Shape = moby.buildkit.v1.BuildHistoryEvent.$Properties;
            }

            /**
             * Properties of a BuildHistoryRecord.
             * @deprecated Use moby.buildkit.v1.BuildHistoryRecord.$Properties instead.
             */
            interface IBuildHistoryRecord extends moby.buildkit.v1.BuildHistoryRecord.$Properties {
            }

            /** Represents a BuildHistoryRecord. */
            class BuildHistoryRecord {

                /**
                 * Constructs a new BuildHistoryRecord.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.BuildHistoryRecord.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BuildHistoryRecord ref. */
                ref: string;

                /** BuildHistoryRecord frontend. */
                frontend: string;

                /** BuildHistoryRecord frontendAttrs. */
                frontendAttrs: { [k: string]: string };

                /** BuildHistoryRecord exporters. */
                exporters: moby.buildkit.v1.Exporter.$Properties[];

                /** BuildHistoryRecord error. */
                error?: (google.rpc.Status.$Properties|null);

                /** BuildHistoryRecord createdAt. */
                createdAt?: (google.protobuf.Timestamp.$Properties|null);

                /** BuildHistoryRecord completedAt. */
                completedAt?: (google.protobuf.Timestamp.$Properties|null);

                /** BuildHistoryRecord logs. */
                logs?: (moby.buildkit.v1.Descriptor.$Properties|null);

                /** BuildHistoryRecord exporterResponse. */
                exporterResponse: { [k: string]: string };

                /** BuildHistoryRecord result. */
                result?: (moby.buildkit.v1.BuildResultInfo.$Properties|null);

                /** BuildHistoryRecord results. */
                results: { [k: string]: moby.buildkit.v1.BuildResultInfo.$Properties };

                /** BuildHistoryRecord generation. */
                generation: number;

                /** BuildHistoryRecord trace. */
                trace?: (moby.buildkit.v1.Descriptor.$Properties|null);

                /** BuildHistoryRecord pinned. */
                pinned: boolean;

                /** BuildHistoryRecord numCachedSteps. */
                numCachedSteps: number;

                /** BuildHistoryRecord numTotalSteps. */
                numTotalSteps: number;

                /** BuildHistoryRecord numCompletedSteps. */
                numCompletedSteps: number;

                /** BuildHistoryRecord externalError. */
                externalError?: (moby.buildkit.v1.Descriptor.$Properties|null);

                /** BuildHistoryRecord numWarnings. */
                numWarnings: number;

                /**
                 * Encodes the specified BuildHistoryRecord message. Does not implicitly {@link moby.buildkit.v1.BuildHistoryRecord.verify|verify} messages.
                 * @param message BuildHistoryRecord message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.BuildHistoryRecord.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BuildHistoryRecord message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.BuildHistoryRecord & moby.buildkit.v1.BuildHistoryRecord.$Shape} BuildHistoryRecord
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.BuildHistoryRecord & moby.buildkit.v1.BuildHistoryRecord.$Shape;
            }

            namespace BuildHistoryRecord {

                /** Properties of a BuildHistoryRecord. */
                interface $Properties {

                    /** BuildHistoryRecord ref */
                    ref?: (string|null);

                    /** BuildHistoryRecord frontend */
                    frontend?: (string|null);

                    /** BuildHistoryRecord frontendAttrs */
                    frontendAttrs?: ({ [k: string]: string }|null);

                    /** BuildHistoryRecord exporters */
                    exporters?: (moby.buildkit.v1.Exporter.$Properties[]|null);

                    /** BuildHistoryRecord error */
                    error?: (google.rpc.Status.$Properties|null);

                    /** BuildHistoryRecord createdAt */
                    createdAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** BuildHistoryRecord completedAt */
                    completedAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** BuildHistoryRecord logs */
                    logs?: (moby.buildkit.v1.Descriptor.$Properties|null);

                    /** BuildHistoryRecord exporterResponse */
                    exporterResponse?: ({ [k: string]: string }|null);

                    /** BuildHistoryRecord result */
                    result?: (moby.buildkit.v1.BuildResultInfo.$Properties|null);

                    /** BuildHistoryRecord results */
                    results?: ({ [k: string]: moby.buildkit.v1.BuildResultInfo.$Properties }|null);

                    /** BuildHistoryRecord generation */
                    generation?: (number|null);

                    /** BuildHistoryRecord trace */
                    trace?: (moby.buildkit.v1.Descriptor.$Properties|null);

                    /** BuildHistoryRecord pinned */
                    pinned?: (boolean|null);

                    /** BuildHistoryRecord numCachedSteps */
                    numCachedSteps?: (number|null);

                    /** BuildHistoryRecord numTotalSteps */
                    numTotalSteps?: (number|null);

                    /** BuildHistoryRecord numCompletedSteps */
                    numCompletedSteps?: (number|null);

                    /** BuildHistoryRecord externalError */
                    externalError?: (moby.buildkit.v1.Descriptor.$Properties|null);

                    /** BuildHistoryRecord numWarnings */
                    numWarnings?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BuildHistoryRecord. */
                type $Shape = moby.buildkit.v1.BuildHistoryRecord.$Properties;
            }

            /**
             * Properties of an UpdateBuildHistoryRequest.
             * @deprecated Use moby.buildkit.v1.UpdateBuildHistoryRequest.$Properties instead.
             */
            interface IUpdateBuildHistoryRequest extends moby.buildkit.v1.UpdateBuildHistoryRequest.$Properties {
            }

            /** Represents an UpdateBuildHistoryRequest. */
            class UpdateBuildHistoryRequest {

                /**
                 * Constructs a new UpdateBuildHistoryRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.UpdateBuildHistoryRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** UpdateBuildHistoryRequest ref. */
                ref: string;

                /** UpdateBuildHistoryRequest pinned. */
                pinned: boolean;

                /** UpdateBuildHistoryRequest delete. */
                delete: boolean;

                /** UpdateBuildHistoryRequest finalize. */
                finalize: boolean;

                /**
                 * Encodes the specified UpdateBuildHistoryRequest message. Does not implicitly {@link moby.buildkit.v1.UpdateBuildHistoryRequest.verify|verify} messages.
                 * @param message UpdateBuildHistoryRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.UpdateBuildHistoryRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an UpdateBuildHistoryRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.UpdateBuildHistoryRequest & moby.buildkit.v1.UpdateBuildHistoryRequest.$Shape} UpdateBuildHistoryRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.UpdateBuildHistoryRequest & moby.buildkit.v1.UpdateBuildHistoryRequest.$Shape;
            }

            namespace UpdateBuildHistoryRequest {

                /** Properties of an UpdateBuildHistoryRequest. */
                interface $Properties {

                    /** UpdateBuildHistoryRequest ref */
                    ref?: (string|null);

                    /** UpdateBuildHistoryRequest pinned */
                    pinned?: (boolean|null);

                    /** UpdateBuildHistoryRequest delete */
                    "delete"?: (boolean|null);

                    /** UpdateBuildHistoryRequest finalize */
                    finalize?: (boolean|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an UpdateBuildHistoryRequest. */
                type $Shape = moby.buildkit.v1.UpdateBuildHistoryRequest.$Properties;
            }

            /**
             * Properties of an UpdateBuildHistoryResponse.
             * @deprecated Use moby.buildkit.v1.UpdateBuildHistoryResponse.$Properties instead.
             */
            interface IUpdateBuildHistoryResponse extends moby.buildkit.v1.UpdateBuildHistoryResponse.$Properties {
            }

            /** Represents an UpdateBuildHistoryResponse. */
            class UpdateBuildHistoryResponse {

                /**
                 * Constructs a new UpdateBuildHistoryResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.UpdateBuildHistoryResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /**
                 * Encodes the specified UpdateBuildHistoryResponse message. Does not implicitly {@link moby.buildkit.v1.UpdateBuildHistoryResponse.verify|verify} messages.
                 * @param message UpdateBuildHistoryResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.UpdateBuildHistoryResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an UpdateBuildHistoryResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.UpdateBuildHistoryResponse & moby.buildkit.v1.UpdateBuildHistoryResponse.$Shape} UpdateBuildHistoryResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.UpdateBuildHistoryResponse & moby.buildkit.v1.UpdateBuildHistoryResponse.$Shape;
            }

            namespace UpdateBuildHistoryResponse {

                /** Properties of an UpdateBuildHistoryResponse. */
                interface $Properties {

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an UpdateBuildHistoryResponse. */
                type $Shape = moby.buildkit.v1.UpdateBuildHistoryResponse.$Properties;
            }

            /**
             * Properties of a Descriptor.
             * @deprecated Use moby.buildkit.v1.Descriptor.$Properties instead.
             */
            interface IDescriptor extends moby.buildkit.v1.Descriptor.$Properties {
            }

            /** Represents a Descriptor. */
            class Descriptor {

                /**
                 * Constructs a new Descriptor.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.Descriptor.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Descriptor mediaType. */
                mediaType: string;

                /** Descriptor digest. */
                digest: string;

                /** Descriptor size. */
                size: (number|Long);

                /** Descriptor annotations. */
                annotations: { [k: string]: string };

                /**
                 * Encodes the specified Descriptor message. Does not implicitly {@link moby.buildkit.v1.Descriptor.verify|verify} messages.
                 * @param message Descriptor message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.Descriptor.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Descriptor message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.Descriptor & moby.buildkit.v1.Descriptor.$Shape} Descriptor
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.Descriptor & moby.buildkit.v1.Descriptor.$Shape;
            }

            namespace Descriptor {

                /** Properties of a Descriptor. */
                interface $Properties {

                    /** Descriptor mediaType */
                    mediaType?: (string|null);

                    /** Descriptor digest */
                    digest?: (string|null);

                    /** Descriptor size */
                    size?: (number|Long|null);

                    /** Descriptor annotations */
                    annotations?: ({ [k: string]: string }|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Descriptor. */
                type $Shape = moby.buildkit.v1.Descriptor.$Properties;
            }

            /**
             * Properties of a BuildResultInfo.
             * @deprecated Use moby.buildkit.v1.BuildResultInfo.$Properties instead.
             */
            interface IBuildResultInfo extends moby.buildkit.v1.BuildResultInfo.$Properties {
            }

            /** Represents a BuildResultInfo. */
            class BuildResultInfo {

                /**
                 * Constructs a new BuildResultInfo.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.BuildResultInfo.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BuildResultInfo resultDeprecated. */
                resultDeprecated?: (moby.buildkit.v1.Descriptor.$Properties|null);

                /** BuildResultInfo attestations. */
                attestations: moby.buildkit.v1.Descriptor.$Properties[];

                /** BuildResultInfo results. */
                results: moby.buildkit.v1.ResultEntry.$Properties[];

                /**
                 * Encodes the specified BuildResultInfo message. Does not implicitly {@link moby.buildkit.v1.BuildResultInfo.verify|verify} messages.
                 * @param message BuildResultInfo message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.BuildResultInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BuildResultInfo message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.BuildResultInfo & moby.buildkit.v1.BuildResultInfo.$Shape} BuildResultInfo
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.BuildResultInfo & moby.buildkit.v1.BuildResultInfo.$Shape;
            }

            namespace BuildResultInfo {

                /** Properties of a BuildResultInfo. */
                interface $Properties {

                    /** BuildResultInfo resultDeprecated */
                    resultDeprecated?: (moby.buildkit.v1.Descriptor.$Properties|null);

                    /** BuildResultInfo attestations */
                    attestations?: (moby.buildkit.v1.Descriptor.$Properties[]|null);

                    /** BuildResultInfo results */
                    results?: (moby.buildkit.v1.ResultEntry.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BuildResultInfo. */
                type $Shape = moby.buildkit.v1.BuildResultInfo.$Properties;
            }

            /**
             * Properties of a ResultEntry.
             * @deprecated Use moby.buildkit.v1.ResultEntry.$Properties instead.
             */
            interface IResultEntry extends moby.buildkit.v1.ResultEntry.$Properties {
            }

            /** Represents a ResultEntry. */
            class ResultEntry {

                /**
                 * Constructs a new ResultEntry.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.buildkit.v1.ResultEntry.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** ResultEntry exporter. */
                exporter: (number|Long);

                /** ResultEntry descriptor. */
                descriptor?: (moby.buildkit.v1.Descriptor.$Properties|null);

                /**
                 * Encodes the specified ResultEntry message. Does not implicitly {@link moby.buildkit.v1.ResultEntry.verify|verify} messages.
                 * @param message ResultEntry message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.buildkit.v1.ResultEntry.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a ResultEntry message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.buildkit.v1.ResultEntry & moby.buildkit.v1.ResultEntry.$Shape} ResultEntry
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.ResultEntry & moby.buildkit.v1.ResultEntry.$Shape;
            }

            namespace ResultEntry {

                /** Properties of a ResultEntry. */
                interface $Properties {

                    /** ResultEntry exporter */
                    exporter?: (number|Long|null);

                    /** ResultEntry descriptor */
                    descriptor?: (moby.buildkit.v1.Descriptor.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a ResultEntry. */
                type $Shape = moby.buildkit.v1.ResultEntry.$Properties;
            }

            /** Namespace types. */
            namespace types {

                /**
                 * Properties of a WorkerRecord.
                 * @deprecated Use moby.buildkit.v1.types.WorkerRecord.$Properties instead.
                 */
                interface IWorkerRecord extends moby.buildkit.v1.types.WorkerRecord.$Properties {
                }

                /** Represents a WorkerRecord. */
                class WorkerRecord {

                    /**
                     * Constructs a new WorkerRecord.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.types.WorkerRecord.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** WorkerRecord id. */
                    id: string;

                    /** WorkerRecord labels. */
                    labels: { [k: string]: string };

                    /** WorkerRecord platforms. */
                    platforms: pb.Platform.$Properties[];

                    /** WorkerRecord gcPolicy. */
                    gcPolicy: moby.buildkit.v1.types.GCPolicy.$Properties[];

                    /** WorkerRecord buildkitVersion. */
                    buildkitVersion?: (moby.buildkit.v1.types.BuildkitVersion.$Properties|null);

                    /** WorkerRecord cdiDevices. */
                    cdiDevices: moby.buildkit.v1.types.CDIDevice.$Properties[];

                    /**
                     * Encodes the specified WorkerRecord message. Does not implicitly {@link moby.buildkit.v1.types.WorkerRecord.verify|verify} messages.
                     * @param message WorkerRecord message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.types.WorkerRecord.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a WorkerRecord message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.types.WorkerRecord & moby.buildkit.v1.types.WorkerRecord.$Shape} WorkerRecord
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.types.WorkerRecord & moby.buildkit.v1.types.WorkerRecord.$Shape;
                }

                namespace WorkerRecord {

                    /** Properties of a WorkerRecord. */
                    interface $Properties {

                        /** WorkerRecord id */
                        id?: (string|null);

                        /** WorkerRecord labels */
                        labels?: ({ [k: string]: string }|null);

                        /** WorkerRecord platforms */
                        platforms?: (pb.Platform.$Properties[]|null);

                        /** WorkerRecord gcPolicy */
                        gcPolicy?: (moby.buildkit.v1.types.GCPolicy.$Properties[]|null);

                        /** WorkerRecord buildkitVersion */
                        buildkitVersion?: (moby.buildkit.v1.types.BuildkitVersion.$Properties|null);

                        /** WorkerRecord cdiDevices */
                        cdiDevices?: (moby.buildkit.v1.types.CDIDevice.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a WorkerRecord. */
                    type $Shape = moby.buildkit.v1.types.WorkerRecord.$Properties;
                }

                /**
                 * Properties of a GCPolicy.
                 * @deprecated Use moby.buildkit.v1.types.GCPolicy.$Properties instead.
                 */
                interface IGCPolicy extends moby.buildkit.v1.types.GCPolicy.$Properties {
                }

                /** Represents a GCPolicy. */
                class GCPolicy {

                    /**
                     * Constructs a new GCPolicy.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.types.GCPolicy.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** GCPolicy all. */
                    all: boolean;

                    /** GCPolicy keepDuration. */
                    keepDuration: (number|Long);

                    /** GCPolicy reservedSpace. */
                    reservedSpace: (number|Long);

                    /** GCPolicy filters. */
                    filters: string[];

                    /** GCPolicy maxUsedSpace. */
                    maxUsedSpace: (number|Long);

                    /** GCPolicy minFreeSpace. */
                    minFreeSpace: (number|Long);

                    /**
                     * Encodes the specified GCPolicy message. Does not implicitly {@link moby.buildkit.v1.types.GCPolicy.verify|verify} messages.
                     * @param message GCPolicy message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.types.GCPolicy.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a GCPolicy message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.types.GCPolicy & moby.buildkit.v1.types.GCPolicy.$Shape} GCPolicy
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.types.GCPolicy & moby.buildkit.v1.types.GCPolicy.$Shape;
                }

                namespace GCPolicy {

                    /** Properties of a GCPolicy. */
                    interface $Properties {

                        /** GCPolicy all */
                        all?: (boolean|null);

                        /** GCPolicy keepDuration */
                        keepDuration?: (number|Long|null);

                        /** GCPolicy reservedSpace */
                        reservedSpace?: (number|Long|null);

                        /** GCPolicy filters */
                        filters?: (string[]|null);

                        /** GCPolicy maxUsedSpace */
                        maxUsedSpace?: (number|Long|null);

                        /** GCPolicy minFreeSpace */
                        minFreeSpace?: (number|Long|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a GCPolicy. */
                    type $Shape = moby.buildkit.v1.types.GCPolicy.$Properties;
                }

                /**
                 * Properties of a BuildkitVersion.
                 * @deprecated Use moby.buildkit.v1.types.BuildkitVersion.$Properties instead.
                 */
                interface IBuildkitVersion extends moby.buildkit.v1.types.BuildkitVersion.$Properties {
                }

                /** Represents a BuildkitVersion. */
                class BuildkitVersion {

                    /**
                     * Constructs a new BuildkitVersion.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.types.BuildkitVersion.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** BuildkitVersion package. */
                    package: string;

                    /** BuildkitVersion version. */
                    version: string;

                    /** BuildkitVersion revision. */
                    revision: string;

                    /**
                     * Encodes the specified BuildkitVersion message. Does not implicitly {@link moby.buildkit.v1.types.BuildkitVersion.verify|verify} messages.
                     * @param message BuildkitVersion message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.types.BuildkitVersion.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a BuildkitVersion message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.types.BuildkitVersion & moby.buildkit.v1.types.BuildkitVersion.$Shape} BuildkitVersion
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.types.BuildkitVersion & moby.buildkit.v1.types.BuildkitVersion.$Shape;
                }

                namespace BuildkitVersion {

                    /** Properties of a BuildkitVersion. */
                    interface $Properties {

                        /** BuildkitVersion package */
                        "package"?: (string|null);

                        /** BuildkitVersion version */
                        version?: (string|null);

                        /** BuildkitVersion revision */
                        revision?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a BuildkitVersion. */
                    type $Shape = moby.buildkit.v1.types.BuildkitVersion.$Properties;
                }

                /**
                 * Properties of a CDIDevice.
                 * @deprecated Use moby.buildkit.v1.types.CDIDevice.$Properties instead.
                 */
                interface ICDIDevice extends moby.buildkit.v1.types.CDIDevice.$Properties {
                }

                /** Represents a CDIDevice. */
                class CDIDevice {

                    /**
                     * Constructs a new CDIDevice.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.types.CDIDevice.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** CDIDevice name. */
                    name: string;

                    /** CDIDevice autoAllow. */
                    autoAllow: boolean;

                    /** CDIDevice annotations. */
                    annotations: { [k: string]: string };

                    /** CDIDevice onDemand. */
                    onDemand: boolean;

                    /**
                     * Encodes the specified CDIDevice message. Does not implicitly {@link moby.buildkit.v1.types.CDIDevice.verify|verify} messages.
                     * @param message CDIDevice message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.types.CDIDevice.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a CDIDevice message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.types.CDIDevice & moby.buildkit.v1.types.CDIDevice.$Shape} CDIDevice
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.types.CDIDevice & moby.buildkit.v1.types.CDIDevice.$Shape;
                }

                namespace CDIDevice {

                    /** Properties of a CDIDevice. */
                    interface $Properties {

                        /** CDIDevice name */
                        name?: (string|null);

                        /** CDIDevice autoAllow */
                        autoAllow?: (boolean|null);

                        /** CDIDevice annotations */
                        annotations?: ({ [k: string]: string }|null);

                        /** CDIDevice onDemand */
                        onDemand?: (boolean|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a CDIDevice. */
                    type $Shape = moby.buildkit.v1.types.CDIDevice.$Properties;
                }
            }

            /** Namespace sourcepolicy. */
            namespace sourcepolicy {

                /** PolicyAction enum. */
                enum PolicyAction {

                    /** ALLOW value */
                    ALLOW = 0,

                    /** DENY value */
                    DENY = 1,

                    /** CONVERT value */
                    CONVERT = 2
                }

                /** AttrMatch enum. */
                enum AttrMatch {

                    /** EQUAL value */
                    EQUAL = 0,

                    /** NOTEQUAL value */
                    NOTEQUAL = 1,

                    /** MATCHES value */
                    MATCHES = 2
                }

                /** MatchType enum. */
                enum MatchType {

                    /** WILDCARD value */
                    WILDCARD = 0,

                    /** EXACT value */
                    EXACT = 1,

                    /** REGEX value */
                    REGEX = 2
                }

                /**
                 * Properties of a Policy.
                 * @deprecated Use moby.buildkit.v1.sourcepolicy.Policy.$Properties instead.
                 */
                interface IPolicy extends moby.buildkit.v1.sourcepolicy.Policy.$Properties {
                }

                /** Represents a Policy. */
                class Policy {

                    /**
                     * Constructs a new Policy.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.sourcepolicy.Policy.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Policy version. */
                    version: (number|Long);

                    /** Policy rules. */
                    rules: moby.buildkit.v1.sourcepolicy.Rule.$Properties[];

                    /**
                     * Encodes the specified Policy message. Does not implicitly {@link moby.buildkit.v1.sourcepolicy.Policy.verify|verify} messages.
                     * @param message Policy message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.sourcepolicy.Policy.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a Policy message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.sourcepolicy.Policy & moby.buildkit.v1.sourcepolicy.Policy.$Shape} Policy
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.sourcepolicy.Policy & moby.buildkit.v1.sourcepolicy.Policy.$Shape;
                }

                namespace Policy {

                    /** Properties of a Policy. */
                    interface $Properties {

                        /** Policy version */
                        version?: (number|Long|null);

                        /** Policy rules */
                        rules?: (moby.buildkit.v1.sourcepolicy.Rule.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a Policy. */
                    type $Shape = moby.buildkit.v1.sourcepolicy.Policy.$Properties;
                }

                /**
                 * Properties of a Rule.
                 * @deprecated Use moby.buildkit.v1.sourcepolicy.Rule.$Properties instead.
                 */
                interface IRule extends moby.buildkit.v1.sourcepolicy.Rule.$Properties {
                }

                /** Represents a Rule. */
                class Rule {

                    /**
                     * Constructs a new Rule.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.sourcepolicy.Rule.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Rule action. */
                    action: moby.buildkit.v1.sourcepolicy.PolicyAction;

                    /** Rule selector. */
                    selector?: (moby.buildkit.v1.sourcepolicy.Selector.$Properties|null);

                    /** Rule updates. */
                    updates?: (moby.buildkit.v1.sourcepolicy.Update.$Properties|null);

                    /**
                     * Encodes the specified Rule message. Does not implicitly {@link moby.buildkit.v1.sourcepolicy.Rule.verify|verify} messages.
                     * @param message Rule message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.sourcepolicy.Rule.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a Rule message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.sourcepolicy.Rule & moby.buildkit.v1.sourcepolicy.Rule.$Shape} Rule
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.sourcepolicy.Rule & moby.buildkit.v1.sourcepolicy.Rule.$Shape;
                }

                namespace Rule {

                    /** Properties of a Rule. */
                    interface $Properties {

                        /** Rule action */
                        action?: (moby.buildkit.v1.sourcepolicy.PolicyAction|null);

                        /** Rule selector */
                        selector?: (moby.buildkit.v1.sourcepolicy.Selector.$Properties|null);

                        /** Rule updates */
                        updates?: (moby.buildkit.v1.sourcepolicy.Update.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a Rule. */
                    type $Shape = moby.buildkit.v1.sourcepolicy.Rule.$Properties;
                }

                /**
                 * Properties of a Selector.
                 * @deprecated Use moby.buildkit.v1.sourcepolicy.Selector.$Properties instead.
                 */
                interface ISelector extends moby.buildkit.v1.sourcepolicy.Selector.$Properties {
                }

                /** Represents a Selector. */
                class Selector {

                    /**
                     * Constructs a new Selector.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.sourcepolicy.Selector.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Selector identifier. */
                    identifier: string;

                    /** Selector matchType. */
                    matchType: moby.buildkit.v1.sourcepolicy.MatchType;

                    /** Selector constraints. */
                    constraints: moby.buildkit.v1.sourcepolicy.AttrConstraint.$Properties[];

                    /**
                     * Encodes the specified Selector message. Does not implicitly {@link moby.buildkit.v1.sourcepolicy.Selector.verify|verify} messages.
                     * @param message Selector message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.sourcepolicy.Selector.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a Selector message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.sourcepolicy.Selector & moby.buildkit.v1.sourcepolicy.Selector.$Shape} Selector
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.sourcepolicy.Selector & moby.buildkit.v1.sourcepolicy.Selector.$Shape;
                }

                namespace Selector {

                    /** Properties of a Selector. */
                    interface $Properties {

                        /** Selector identifier */
                        identifier?: (string|null);

                        /** Selector matchType */
                        matchType?: (moby.buildkit.v1.sourcepolicy.MatchType|null);

                        /** Selector constraints */
                        constraints?: (moby.buildkit.v1.sourcepolicy.AttrConstraint.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a Selector. */
                    type $Shape = moby.buildkit.v1.sourcepolicy.Selector.$Properties;
                }

                /**
                 * Properties of an AttrConstraint.
                 * @deprecated Use moby.buildkit.v1.sourcepolicy.AttrConstraint.$Properties instead.
                 */
                interface IAttrConstraint extends moby.buildkit.v1.sourcepolicy.AttrConstraint.$Properties {
                }

                /** Represents an AttrConstraint. */
                class AttrConstraint {

                    /**
                     * Constructs a new AttrConstraint.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.sourcepolicy.AttrConstraint.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** AttrConstraint key. */
                    key: string;

                    /** AttrConstraint value. */
                    value: string;

                    /** AttrConstraint condition. */
                    condition: moby.buildkit.v1.sourcepolicy.AttrMatch;

                    /**
                     * Encodes the specified AttrConstraint message. Does not implicitly {@link moby.buildkit.v1.sourcepolicy.AttrConstraint.verify|verify} messages.
                     * @param message AttrConstraint message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.sourcepolicy.AttrConstraint.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an AttrConstraint message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.sourcepolicy.AttrConstraint & moby.buildkit.v1.sourcepolicy.AttrConstraint.$Shape} AttrConstraint
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.sourcepolicy.AttrConstraint & moby.buildkit.v1.sourcepolicy.AttrConstraint.$Shape;
                }

                namespace AttrConstraint {

                    /** Properties of an AttrConstraint. */
                    interface $Properties {

                        /** AttrConstraint key */
                        key?: (string|null);

                        /** AttrConstraint value */
                        value?: (string|null);

                        /** AttrConstraint condition */
                        condition?: (moby.buildkit.v1.sourcepolicy.AttrMatch|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an AttrConstraint. */
                    type $Shape = moby.buildkit.v1.sourcepolicy.AttrConstraint.$Properties;
                }

                /**
                 * Properties of an Update.
                 * @deprecated Use moby.buildkit.v1.sourcepolicy.Update.$Properties instead.
                 */
                interface IUpdate extends moby.buildkit.v1.sourcepolicy.Update.$Properties {
                }

                /** Represents an Update. */
                class Update {

                    /**
                     * Constructs a new Update.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.sourcepolicy.Update.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Update identifier. */
                    identifier: string;

                    /** Update attrs. */
                    attrs: { [k: string]: string };

                    /**
                     * Encodes the specified Update message. Does not implicitly {@link moby.buildkit.v1.sourcepolicy.Update.verify|verify} messages.
                     * @param message Update message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.sourcepolicy.Update.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an Update message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.sourcepolicy.Update & moby.buildkit.v1.sourcepolicy.Update.$Shape} Update
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.sourcepolicy.Update & moby.buildkit.v1.sourcepolicy.Update.$Shape;
                }

                namespace Update {

                    /** Properties of an Update. */
                    interface $Properties {

                        /** Update identifier */
                        identifier?: (string|null);

                        /** Update attrs */
                        attrs?: ({ [k: string]: string }|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an Update. */
                    type $Shape = moby.buildkit.v1.sourcepolicy.Update.$Properties;
                }

                /** Namespace policysession. */
                namespace policysession {

                    /**
                     * Properties of a CheckPolicyRequest.
                     * @deprecated Use moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyRequest.$Properties instead.
                     */
                    interface ICheckPolicyRequest extends moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyRequest.$Properties {
                    }

                    /** Represents a CheckPolicyRequest. */
                    class CheckPolicyRequest {

                        /**
                         * Constructs a new CheckPolicyRequest.
                         * @param [properties] Properties to set
                         */
                        constructor(properties?: moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyRequest.$Properties);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];

                        /** CheckPolicyRequest platform. */
                        platform?: (pb.Platform.$Properties|null);

                        /** CheckPolicyRequest source. */
                        source?: (moby.buildkit.v1.frontend.ResolveSourceMetaResponse.$Properties|null);

                        /** CheckPolicyRequest caps. */
                        caps: { [k: string]: boolean };

                        /**
                         * Encodes the specified CheckPolicyRequest message. Does not implicitly {@link moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyRequest.verify|verify} messages.
                         * @param message CheckPolicyRequest message or plain object to encode
                         * @param [writer] Writer to encode to
                         * @returns Writer
                         */
                        static encode(message: moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                        /**
                         * Decodes a CheckPolicyRequest message from the specified reader or buffer.
                         * @param reader Reader or buffer to decode from
                         * @param [length] Message length if known beforehand
                         * @returns {moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyRequest & moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyRequest.$Shape} CheckPolicyRequest
                         * @throws {Error} If the payload is not a reader or valid buffer
                         * @throws {$protobuf.util.ProtocolError} If required fields are missing
                         */
                        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyRequest & moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyRequest.$Shape;
                    }

                    namespace CheckPolicyRequest {

                        /** Properties of a CheckPolicyRequest. */
                        interface $Properties {

                            /** CheckPolicyRequest platform */
                            platform?: (pb.Platform.$Properties|null);

                            /** CheckPolicyRequest source */
                            source?: (moby.buildkit.v1.frontend.ResolveSourceMetaResponse.$Properties|null);

                            /** CheckPolicyRequest caps */
                            caps?: ({ [k: string]: boolean }|null);

                            /** Unknown fields preserved while decoding when enabled */
                            $unknowns?: Uint8Array[];
                        }

                        /** Shape of a CheckPolicyRequest. */
                        type $Shape = moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyRequest.$Properties;
                    }

                    /**
                     * Properties of a CheckPolicyResponse.
                     * @deprecated Use moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyResponse.$Properties instead.
                     */
                    interface ICheckPolicyResponse extends moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyResponse.$Properties {
                    }

                    /** Represents a CheckPolicyResponse. */
                    class CheckPolicyResponse {

                        /**
                         * Constructs a new CheckPolicyResponse.
                         * @param [properties] Properties to set
                         */
                        constructor(properties?: moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyResponse.$Properties);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];

                        /** CheckPolicyResponse decision. */
                        decision?: (moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Properties|null);

                        /** CheckPolicyResponse request. */
                        request?: (moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Properties|null);

                        /** CheckPolicyResponse result. */
                        result?: ("decision"|"request");

                        /**
                         * Encodes the specified CheckPolicyResponse message. Does not implicitly {@link moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyResponse.verify|verify} messages.
                         * @param message CheckPolicyResponse message or plain object to encode
                         * @param [writer] Writer to encode to
                         * @returns Writer
                         */
                        static encode(message: moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                        /**
                         * Decodes a CheckPolicyResponse message from the specified reader or buffer.
                         * @param reader Reader or buffer to decode from
                         * @param [length] Message length if known beforehand
                         * @returns {moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyResponse & moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyResponse.$Shape} CheckPolicyResponse
                         * @throws {Error} If the payload is not a reader or valid buffer
                         * @throws {$protobuf.util.ProtocolError} If required fields are missing
                         */
                        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyResponse & moby.buildkit.v1.sourcepolicy.policysession.CheckPolicyResponse.$Shape;
                    }

                    namespace CheckPolicyResponse {

                        /** Properties of a CheckPolicyResponse. */
                        interface $Properties {

                            /** CheckPolicyResponse decision */
                            decision?: (moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Properties|null);

                            /** CheckPolicyResponse request */
                            request?: (moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Properties|null);

                            /** CheckPolicyResponse result */
                            result?: ("decision"|"request");

                            /** Unknown fields preserved while decoding when enabled */
                            $unknowns?: Uint8Array[];
                        }

                        /** Narrowed shape of a CheckPolicyResponse. */
                        type $Shape = {
                          decision?: moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Shape|null;
                          request?: moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Shape|null;
                          $unknowns?: Uint8Array[];
                        } & (
                          ({ result?: undefined; decision?: null; request?: null }|{ result?: "decision"; decision: moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Shape; request?: null }|{ result?: "request"; decision?: null; request: moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Shape })
                        );
                    }

                    /**
                     * Properties of a DecisionResponse.
                     * @deprecated Use moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Properties instead.
                     */
                    interface IDecisionResponse extends moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Properties {
                    }

                    /** Represents a DecisionResponse. */
                    class DecisionResponse {

                        /**
                         * Constructs a new DecisionResponse.
                         * @param [properties] Properties to set
                         */
                        constructor(properties?: moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Properties);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];

                        /** DecisionResponse action. */
                        action: moby.buildkit.v1.sourcepolicy.PolicyAction;

                        /** DecisionResponse denyMessages. */
                        denyMessages: moby.buildkit.v1.sourcepolicy.policysession.DenyMessage.$Properties[];

                        /** DecisionResponse update. */
                        update?: (pb.SourceOp.$Properties|null);

                        /**
                         * Encodes the specified DecisionResponse message. Does not implicitly {@link moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.verify|verify} messages.
                         * @param message DecisionResponse message or plain object to encode
                         * @param [writer] Writer to encode to
                         * @returns Writer
                         */
                        static encode(message: moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                        /**
                         * Decodes a DecisionResponse message from the specified reader or buffer.
                         * @param reader Reader or buffer to decode from
                         * @param [length] Message length if known beforehand
                         * @returns {moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse & moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Shape} DecisionResponse
                         * @throws {Error} If the payload is not a reader or valid buffer
                         * @throws {$protobuf.util.ProtocolError} If required fields are missing
                         */
                        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse & moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Shape;
                    }

                    namespace DecisionResponse {

                        /** Properties of a DecisionResponse. */
                        interface $Properties {

                            /** DecisionResponse action */
                            action?: (moby.buildkit.v1.sourcepolicy.PolicyAction|null);

                            /** DecisionResponse denyMessages */
                            denyMessages?: (moby.buildkit.v1.sourcepolicy.policysession.DenyMessage.$Properties[]|null);

                            /** DecisionResponse update */
                            update?: (pb.SourceOp.$Properties|null);

                            /** Unknown fields preserved while decoding when enabled */
                            $unknowns?: Uint8Array[];
                        }

                        /** Shape of a DecisionResponse. */
                        type $Shape = moby.buildkit.v1.sourcepolicy.policysession.DecisionResponse.$Properties;
                    }

                    /**
                     * Properties of a DenyMessage.
                     * @deprecated Use moby.buildkit.v1.sourcepolicy.policysession.DenyMessage.$Properties instead.
                     */
                    interface IDenyMessage extends moby.buildkit.v1.sourcepolicy.policysession.DenyMessage.$Properties {
                    }

                    /** Represents a DenyMessage. */
                    class DenyMessage {

                        /**
                         * Constructs a new DenyMessage.
                         * @param [properties] Properties to set
                         */
                        constructor(properties?: moby.buildkit.v1.sourcepolicy.policysession.DenyMessage.$Properties);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];

                        /** DenyMessage message. */
                        message: string;

                        /**
                         * Encodes the specified DenyMessage message. Does not implicitly {@link moby.buildkit.v1.sourcepolicy.policysession.DenyMessage.verify|verify} messages.
                         * @param message DenyMessage message or plain object to encode
                         * @param [writer] Writer to encode to
                         * @returns Writer
                         */
                        static encode(message: moby.buildkit.v1.sourcepolicy.policysession.DenyMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                        /**
                         * Decodes a DenyMessage message from the specified reader or buffer.
                         * @param reader Reader or buffer to decode from
                         * @param [length] Message length if known beforehand
                         * @returns {moby.buildkit.v1.sourcepolicy.policysession.DenyMessage & moby.buildkit.v1.sourcepolicy.policysession.DenyMessage.$Shape} DenyMessage
                         * @throws {Error} If the payload is not a reader or valid buffer
                         * @throws {$protobuf.util.ProtocolError} If required fields are missing
                         */
                        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.sourcepolicy.policysession.DenyMessage & moby.buildkit.v1.sourcepolicy.policysession.DenyMessage.$Shape;
                    }

                    namespace DenyMessage {

                        /** Properties of a DenyMessage. */
                        interface $Properties {

                            /** DenyMessage message */
                            message?: (string|null);

                            /** Unknown fields preserved while decoding when enabled */
                            $unknowns?: Uint8Array[];
                        }

                        /** Shape of a DenyMessage. */
                        type $Shape = moby.buildkit.v1.sourcepolicy.policysession.DenyMessage.$Properties;
                    }
                }
            }

            /** Namespace frontend. */
            namespace frontend {

                /**
                 * Properties of a Result.
                 * @deprecated Use moby.buildkit.v1.frontend.Result.$Properties instead.
                 */
                interface IResult extends moby.buildkit.v1.frontend.Result.$Properties {
                }

                /** Represents a Result. */
                class Result {

                    /**
                     * Constructs a new Result.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.Result.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Result refDeprecated. */
                    refDeprecated?: (string|null);

                    /** Result refsDeprecated. */
                    refsDeprecated?: (moby.buildkit.v1.frontend.RefMapDeprecated.$Properties|null);

                    /** Result ref. */
                    ref?: (moby.buildkit.v1.frontend.Ref.$Properties|null);

                    /** Result refs. */
                    refs?: (moby.buildkit.v1.frontend.RefMap.$Properties|null);

                    /** Result metadata. */
                    metadata: { [k: string]: Uint8Array };

                    /** Result attestations. */
                    attestations: { [k: string]: moby.buildkit.v1.frontend.Attestations.$Properties };

                    /** Result result. */
                    result?: ("refDeprecated"|"refsDeprecated"|"ref"|"refs");

                    /**
                     * Encodes the specified Result message. Does not implicitly {@link moby.buildkit.v1.frontend.Result.verify|verify} messages.
                     * @param message Result message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.Result.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a Result message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.Result & moby.buildkit.v1.frontend.Result.$Shape} Result
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.Result & moby.buildkit.v1.frontend.Result.$Shape;
                }

                namespace Result {

                    /** Properties of a Result. */
                    interface $Properties {

                        /** Result refDeprecated */
                        refDeprecated?: (string|null);

                        /** Result refsDeprecated */
                        refsDeprecated?: (moby.buildkit.v1.frontend.RefMapDeprecated.$Properties|null);

                        /** Result ref */
                        ref?: (moby.buildkit.v1.frontend.Ref.$Properties|null);

                        /** Result refs */
                        refs?: (moby.buildkit.v1.frontend.RefMap.$Properties|null);

                        /** Result metadata */
                        metadata?: ({ [k: string]: Uint8Array }|null);

                        /** Result attestations */
                        attestations?: ({ [k: string]: moby.buildkit.v1.frontend.Attestations.$Properties }|null);

                        /** Result result */
                        result?: ("refDeprecated"|"refsDeprecated"|"ref"|"refs");

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Narrowed shape of a Result. */
                    type $Shape = {
                      refDeprecated?: string|null;
                      refsDeprecated?: moby.buildkit.v1.frontend.RefMapDeprecated.$Shape|null;
                      ref?: moby.buildkit.v1.frontend.Ref.$Shape|null;
                      refs?: moby.buildkit.v1.frontend.RefMap.$Shape|null;
                      metadata?: { [k: string]: Uint8Array }|null;
                      attestations?: { [k: string]: moby.buildkit.v1.frontend.Attestations.$Shape }|null;
                      $unknowns?: Uint8Array[];
                    } & (
                      ({ result?: undefined; refDeprecated?: null; refsDeprecated?: null; ref?: null; refs?: null }|{ result?: "refDeprecated"; refDeprecated: string; refsDeprecated?: null; ref?: null; refs?: null }|{ result?: "refsDeprecated"; refDeprecated?: null; refsDeprecated: moby.buildkit.v1.frontend.RefMapDeprecated.$Shape; ref?: null; refs?: null }|{ result?: "ref"; refDeprecated?: null; refsDeprecated?: null; ref: moby.buildkit.v1.frontend.Ref.$Shape; refs?: null }|{ result?: "refs"; refDeprecated?: null; refsDeprecated?: null; ref?: null; refs: moby.buildkit.v1.frontend.RefMap.$Shape })
                    );
                }

                /**
                 * Properties of a RefMapDeprecated.
                 * @deprecated Use moby.buildkit.v1.frontend.RefMapDeprecated.$Properties instead.
                 */
                interface IRefMapDeprecated extends moby.buildkit.v1.frontend.RefMapDeprecated.$Properties {
                }

                /** Represents a RefMapDeprecated. */
                class RefMapDeprecated {

                    /**
                     * Constructs a new RefMapDeprecated.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.RefMapDeprecated.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** RefMapDeprecated refs. */
                    refs: { [k: string]: string };

                    /**
                     * Encodes the specified RefMapDeprecated message. Does not implicitly {@link moby.buildkit.v1.frontend.RefMapDeprecated.verify|verify} messages.
                     * @param message RefMapDeprecated message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.RefMapDeprecated.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a RefMapDeprecated message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.RefMapDeprecated & moby.buildkit.v1.frontend.RefMapDeprecated.$Shape} RefMapDeprecated
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.RefMapDeprecated & moby.buildkit.v1.frontend.RefMapDeprecated.$Shape;
                }

                namespace RefMapDeprecated {

                    /** Properties of a RefMapDeprecated. */
                    interface $Properties {

                        /** RefMapDeprecated refs */
                        refs?: ({ [k: string]: string }|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a RefMapDeprecated. */
                    type $Shape = moby.buildkit.v1.frontend.RefMapDeprecated.$Properties;
                }

                /**
                 * Properties of a Ref.
                 * @deprecated Use moby.buildkit.v1.frontend.Ref.$Properties instead.
                 */
                interface IRef extends moby.buildkit.v1.frontend.Ref.$Properties {
                }

                /** Represents a Ref. */
                class Ref {

                    /**
                     * Constructs a new Ref.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.Ref.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Ref id. */
                    id: string;

                    /** Ref def. */
                    def: Uint8Array;

                    /**
                     * Encodes the specified Ref message. Does not implicitly {@link moby.buildkit.v1.frontend.Ref.verify|verify} messages.
                     * @param message Ref message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.Ref.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a Ref message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.Ref & moby.buildkit.v1.frontend.Ref.$Shape} Ref
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.Ref & moby.buildkit.v1.frontend.Ref.$Shape;
                }

                namespace Ref {

                    /** Properties of a Ref. */
                    interface $Properties {

                        /** Ref id */
                        id?: (string|null);

                        /** Ref def */
                        def?: (Uint8Array|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a Ref. */
                    type $Shape = moby.buildkit.v1.frontend.Ref.$Properties;
                }

                /**
                 * Properties of a RefMap.
                 * @deprecated Use moby.buildkit.v1.frontend.RefMap.$Properties instead.
                 */
                interface IRefMap extends moby.buildkit.v1.frontend.RefMap.$Properties {
                }

                /** Represents a RefMap. */
                class RefMap {

                    /**
                     * Constructs a new RefMap.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.RefMap.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** RefMap refs. */
                    refs: { [k: string]: moby.buildkit.v1.frontend.Ref.$Properties };

                    /**
                     * Encodes the specified RefMap message. Does not implicitly {@link moby.buildkit.v1.frontend.RefMap.verify|verify} messages.
                     * @param message RefMap message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.RefMap.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a RefMap message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.RefMap & moby.buildkit.v1.frontend.RefMap.$Shape} RefMap
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.RefMap & moby.buildkit.v1.frontend.RefMap.$Shape;
                }

                namespace RefMap {

                    /** Properties of a RefMap. */
                    interface $Properties {

                        /** RefMap refs */
                        refs?: ({ [k: string]: moby.buildkit.v1.frontend.Ref.$Properties }|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a RefMap. */
                    type $Shape = moby.buildkit.v1.frontend.RefMap.$Properties;
                }

                /**
                 * Properties of an Attestations.
                 * @deprecated Use moby.buildkit.v1.frontend.Attestations.$Properties instead.
                 */
                interface IAttestations extends moby.buildkit.v1.frontend.Attestations.$Properties {
                }

                /** Represents an Attestations. */
                class Attestations {

                    /**
                     * Constructs a new Attestations.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.Attestations.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Attestations attestation. */
                    attestation: moby.buildkit.v1.frontend.Attestation.$Properties[];

                    /**
                     * Encodes the specified Attestations message. Does not implicitly {@link moby.buildkit.v1.frontend.Attestations.verify|verify} messages.
                     * @param message Attestations message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.Attestations.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an Attestations message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.Attestations & moby.buildkit.v1.frontend.Attestations.$Shape} Attestations
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.Attestations & moby.buildkit.v1.frontend.Attestations.$Shape;
                }

                namespace Attestations {

                    /** Properties of an Attestations. */
                    interface $Properties {

                        /** Attestations attestation */
                        attestation?: (moby.buildkit.v1.frontend.Attestation.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an Attestations. */
                    type $Shape = moby.buildkit.v1.frontend.Attestations.$Properties;
                }

                /** AttestationKind enum. */
                enum AttestationKind {

                    /** InToto value */
                    InToto = 0,

                    /** Bundle value */
                    Bundle = 1
                }

                /**
                 * Properties of an Attestation.
                 * @deprecated Use moby.buildkit.v1.frontend.Attestation.$Properties instead.
                 */
                interface IAttestation extends moby.buildkit.v1.frontend.Attestation.$Properties {
                }

                /** Represents an Attestation. */
                class Attestation {

                    /**
                     * Constructs a new Attestation.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.Attestation.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Attestation kind. */
                    kind: moby.buildkit.v1.frontend.AttestationKind;

                    /** Attestation metadata. */
                    metadata: { [k: string]: Uint8Array };

                    /** Attestation ref. */
                    ref?: (moby.buildkit.v1.frontend.Ref.$Properties|null);

                    /** Attestation path. */
                    path: string;

                    /** Attestation inTotoPredicateType. */
                    inTotoPredicateType: string;

                    /** Attestation inTotoSubjects. */
                    inTotoSubjects: moby.buildkit.v1.frontend.InTotoSubject.$Properties[];

                    /**
                     * Encodes the specified Attestation message. Does not implicitly {@link moby.buildkit.v1.frontend.Attestation.verify|verify} messages.
                     * @param message Attestation message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.Attestation.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an Attestation message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.Attestation & moby.buildkit.v1.frontend.Attestation.$Shape} Attestation
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.Attestation & moby.buildkit.v1.frontend.Attestation.$Shape;
                }

                namespace Attestation {

                    /** Properties of an Attestation. */
                    interface $Properties {

                        /** Attestation kind */
                        kind?: (moby.buildkit.v1.frontend.AttestationKind|null);

                        /** Attestation metadata */
                        metadata?: ({ [k: string]: Uint8Array }|null);

                        /** Attestation ref */
                        ref?: (moby.buildkit.v1.frontend.Ref.$Properties|null);

                        /** Attestation path */
                        path?: (string|null);

                        /** Attestation inTotoPredicateType */
                        inTotoPredicateType?: (string|null);

                        /** Attestation inTotoSubjects */
                        inTotoSubjects?: (moby.buildkit.v1.frontend.InTotoSubject.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an Attestation. */
                    type $Shape = moby.buildkit.v1.frontend.Attestation.$Properties;
                }

                /** InTotoSubjectKind enum. */
                enum InTotoSubjectKind {

                    /** Self value */
                    Self = 0,

                    /** Raw value */
                    Raw = 1
                }

                /**
                 * Properties of an InTotoSubject.
                 * @deprecated Use moby.buildkit.v1.frontend.InTotoSubject.$Properties instead.
                 */
                interface IInTotoSubject extends moby.buildkit.v1.frontend.InTotoSubject.$Properties {
                }

                /** Represents an InTotoSubject. */
                class InTotoSubject {

                    /**
                     * Constructs a new InTotoSubject.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.InTotoSubject.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** InTotoSubject kind. */
                    kind: moby.buildkit.v1.frontend.InTotoSubjectKind;

                    /** InTotoSubject digest. */
                    digest: string[];

                    /** InTotoSubject name. */
                    name: string;

                    /**
                     * Encodes the specified InTotoSubject message. Does not implicitly {@link moby.buildkit.v1.frontend.InTotoSubject.verify|verify} messages.
                     * @param message InTotoSubject message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.InTotoSubject.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an InTotoSubject message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.InTotoSubject & moby.buildkit.v1.frontend.InTotoSubject.$Shape} InTotoSubject
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.InTotoSubject & moby.buildkit.v1.frontend.InTotoSubject.$Shape;
                }

                namespace InTotoSubject {

                    /** Properties of an InTotoSubject. */
                    interface $Properties {

                        /** InTotoSubject kind */
                        kind?: (moby.buildkit.v1.frontend.InTotoSubjectKind|null);

                        /** InTotoSubject digest */
                        digest?: (string[]|null);

                        /** InTotoSubject name */
                        name?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an InTotoSubject. */
                    type $Shape = moby.buildkit.v1.frontend.InTotoSubject.$Properties;
                }

                /**
                 * Properties of a ReturnRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.ReturnRequest.$Properties instead.
                 */
                interface IReturnRequest extends moby.buildkit.v1.frontend.ReturnRequest.$Properties {
                }

                /** Represents a ReturnRequest. */
                class ReturnRequest {

                    /**
                     * Constructs a new ReturnRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ReturnRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ReturnRequest result. */
                    result?: (moby.buildkit.v1.frontend.Result.$Properties|null);

                    /** ReturnRequest error. */
                    error?: (google.rpc.Status.$Properties|null);

                    /**
                     * Encodes the specified ReturnRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.ReturnRequest.verify|verify} messages.
                     * @param message ReturnRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ReturnRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ReturnRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ReturnRequest & moby.buildkit.v1.frontend.ReturnRequest.$Shape} ReturnRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ReturnRequest & moby.buildkit.v1.frontend.ReturnRequest.$Shape;
                }

                namespace ReturnRequest {

                    /** Properties of a ReturnRequest. */
                    interface $Properties {

                        /** ReturnRequest result */
                        result?: (moby.buildkit.v1.frontend.Result.$Properties|null);

                        /** ReturnRequest error */
                        error?: (google.rpc.Status.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ReturnRequest. */
                    type $Shape = {
                      result?: moby.buildkit.v1.frontend.Result.$Shape|null;
                      error?: google.rpc.Status.$Shape|null;
                      $unknowns?: Uint8Array[];
                    };
                }

                /**
                 * Properties of a ReturnResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.ReturnResponse.$Properties instead.
                 */
                interface IReturnResponse extends moby.buildkit.v1.frontend.ReturnResponse.$Properties {
                }

                /** Represents a ReturnResponse. */
                class ReturnResponse {

                    /**
                     * Constructs a new ReturnResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ReturnResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /**
                     * Encodes the specified ReturnResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.ReturnResponse.verify|verify} messages.
                     * @param message ReturnResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ReturnResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ReturnResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ReturnResponse & moby.buildkit.v1.frontend.ReturnResponse.$Shape} ReturnResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ReturnResponse & moby.buildkit.v1.frontend.ReturnResponse.$Shape;
                }

                namespace ReturnResponse {

                    /** Properties of a ReturnResponse. */
                    interface $Properties {

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ReturnResponse. */
                    type $Shape = moby.buildkit.v1.frontend.ReturnResponse.$Properties;
                }

                /**
                 * Properties of an InputsRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.InputsRequest.$Properties instead.
                 */
                interface IInputsRequest extends moby.buildkit.v1.frontend.InputsRequest.$Properties {
                }

                /** Represents an InputsRequest. */
                class InputsRequest {

                    /**
                     * Constructs a new InputsRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.InputsRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /**
                     * Encodes the specified InputsRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.InputsRequest.verify|verify} messages.
                     * @param message InputsRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.InputsRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an InputsRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.InputsRequest & moby.buildkit.v1.frontend.InputsRequest.$Shape} InputsRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.InputsRequest & moby.buildkit.v1.frontend.InputsRequest.$Shape;
                }

                namespace InputsRequest {

                    /** Properties of an InputsRequest. */
                    interface $Properties {

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an InputsRequest. */
                    type $Shape = moby.buildkit.v1.frontend.InputsRequest.$Properties;
                }

                /**
                 * Properties of an InputsResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.InputsResponse.$Properties instead.
                 */
                interface IInputsResponse extends moby.buildkit.v1.frontend.InputsResponse.$Properties {
                }

                /** Represents an InputsResponse. */
                class InputsResponse {

                    /**
                     * Constructs a new InputsResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.InputsResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** InputsResponse definitions. */
                    definitions: { [k: string]: Uint8Array };

                    /**
                     * Encodes the specified InputsResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.InputsResponse.verify|verify} messages.
                     * @param message InputsResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.InputsResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an InputsResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.InputsResponse & moby.buildkit.v1.frontend.InputsResponse.$Shape} InputsResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.InputsResponse & moby.buildkit.v1.frontend.InputsResponse.$Shape;
                }

                namespace InputsResponse {

                    /** Properties of an InputsResponse. */
                    interface $Properties {

                        /** InputsResponse definitions */
                        definitions?: ({ [k: string]: Uint8Array }|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an InputsResponse. */
                    type $Shape = moby.buildkit.v1.frontend.InputsResponse.$Properties;
                }

                /**
                 * Properties of a ResolveImageConfigRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.ResolveImageConfigRequest.$Properties instead.
                 */
                interface IResolveImageConfigRequest extends moby.buildkit.v1.frontend.ResolveImageConfigRequest.$Properties {
                }

                /** Represents a ResolveImageConfigRequest. */
                class ResolveImageConfigRequest {

                    /**
                     * Constructs a new ResolveImageConfigRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResolveImageConfigRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResolveImageConfigRequest ref. */
                    ref: string;

                    /** ResolveImageConfigRequest platform. */
                    platform?: (pb.Platform.$Properties|null);

                    /** ResolveImageConfigRequest resolveMode. */
                    resolveMode: string;

                    /** ResolveImageConfigRequest logName. */
                    logName: string;

                    /** ResolveImageConfigRequest resolverType. */
                    resolverType: number;

                    /** ResolveImageConfigRequest sessionId. */
                    sessionId: string;

                    /** ResolveImageConfigRequest storeId. */
                    storeId: string;

                    /** ResolveImageConfigRequest sourcePolicies. */
                    sourcePolicies: moby.buildkit.v1.sourcepolicy.Policy.$Properties[];

                    /**
                     * Encodes the specified ResolveImageConfigRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.ResolveImageConfigRequest.verify|verify} messages.
                     * @param message ResolveImageConfigRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResolveImageConfigRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResolveImageConfigRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResolveImageConfigRequest & moby.buildkit.v1.frontend.ResolveImageConfigRequest.$Shape} ResolveImageConfigRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResolveImageConfigRequest & moby.buildkit.v1.frontend.ResolveImageConfigRequest.$Shape;
                }

                namespace ResolveImageConfigRequest {

                    /** Properties of a ResolveImageConfigRequest. */
                    interface $Properties {

                        /** ResolveImageConfigRequest ref */
                        ref?: (string|null);

                        /** ResolveImageConfigRequest platform */
                        platform?: (pb.Platform.$Properties|null);

                        /** ResolveImageConfigRequest resolveMode */
                        resolveMode?: (string|null);

                        /** ResolveImageConfigRequest logName */
                        logName?: (string|null);

                        /** ResolveImageConfigRequest resolverType */
                        resolverType?: (number|null);

                        /** ResolveImageConfigRequest sessionId */
                        sessionId?: (string|null);

                        /** ResolveImageConfigRequest storeId */
                        storeId?: (string|null);

                        /** ResolveImageConfigRequest sourcePolicies */
                        sourcePolicies?: (moby.buildkit.v1.sourcepolicy.Policy.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResolveImageConfigRequest. */
                    type $Shape = moby.buildkit.v1.frontend.ResolveImageConfigRequest.$Properties;
                }

                /**
                 * Properties of a ResolveImageConfigResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.ResolveImageConfigResponse.$Properties instead.
                 */
                interface IResolveImageConfigResponse extends moby.buildkit.v1.frontend.ResolveImageConfigResponse.$Properties {
                }

                /** Represents a ResolveImageConfigResponse. */
                class ResolveImageConfigResponse {

                    /**
                     * Constructs a new ResolveImageConfigResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResolveImageConfigResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResolveImageConfigResponse digest. */
                    digest: string;

                    /** ResolveImageConfigResponse config. */
                    config: Uint8Array;

                    /** ResolveImageConfigResponse ref. */
                    ref: string;

                    /**
                     * Encodes the specified ResolveImageConfigResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.ResolveImageConfigResponse.verify|verify} messages.
                     * @param message ResolveImageConfigResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResolveImageConfigResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResolveImageConfigResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResolveImageConfigResponse & moby.buildkit.v1.frontend.ResolveImageConfigResponse.$Shape} ResolveImageConfigResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResolveImageConfigResponse & moby.buildkit.v1.frontend.ResolveImageConfigResponse.$Shape;
                }

                namespace ResolveImageConfigResponse {

                    /** Properties of a ResolveImageConfigResponse. */
                    interface $Properties {

                        /** ResolveImageConfigResponse digest */
                        digest?: (string|null);

                        /** ResolveImageConfigResponse config */
                        config?: (Uint8Array|null);

                        /** ResolveImageConfigResponse ref */
                        ref?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResolveImageConfigResponse. */
                    type $Shape = moby.buildkit.v1.frontend.ResolveImageConfigResponse.$Properties;
                }

                /**
                 * Properties of a ResolveSourceMetaRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Properties instead.
                 */
                interface IResolveSourceMetaRequest extends moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Properties {
                }

                /** Represents a ResolveSourceMetaRequest. */
                class ResolveSourceMetaRequest {

                    /**
                     * Constructs a new ResolveSourceMetaRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResolveSourceMetaRequest source. */
                    source?: (pb.SourceOp.$Properties|null);

                    /** ResolveSourceMetaRequest platform. */
                    platform?: (pb.Platform.$Properties|null);

                    /** ResolveSourceMetaRequest logName. */
                    logName: string;

                    /** ResolveSourceMetaRequest resolveMode. */
                    resolveMode: string;

                    /** ResolveSourceMetaRequest git. */
                    git?: (moby.buildkit.v1.frontend.ResolveSourceGitRequest.$Properties|null);

                    /** ResolveSourceMetaRequest image. */
                    image?: (moby.buildkit.v1.frontend.ResolveSourceImageRequest.$Properties|null);

                    /** ResolveSourceMetaRequest http. */
                    http?: (moby.buildkit.v1.frontend.ResolveSourceHTTPRequest.$Properties|null);

                    /** ResolveSourceMetaRequest sourcePolicies. */
                    sourcePolicies: moby.buildkit.v1.sourcepolicy.Policy.$Properties[];

                    /**
                     * Encodes the specified ResolveSourceMetaRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.ResolveSourceMetaRequest.verify|verify} messages.
                     * @param message ResolveSourceMetaRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResolveSourceMetaRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResolveSourceMetaRequest & moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Shape} ResolveSourceMetaRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResolveSourceMetaRequest & moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Shape;
                }

                namespace ResolveSourceMetaRequest {

                    /** Properties of a ResolveSourceMetaRequest. */
                    interface $Properties {

                        /** ResolveSourceMetaRequest source */
                        source?: (pb.SourceOp.$Properties|null);

                        /** ResolveSourceMetaRequest platform */
                        platform?: (pb.Platform.$Properties|null);

                        /** ResolveSourceMetaRequest logName */
                        logName?: (string|null);

                        /** ResolveSourceMetaRequest resolveMode */
                        resolveMode?: (string|null);

                        /** ResolveSourceMetaRequest git */
                        git?: (moby.buildkit.v1.frontend.ResolveSourceGitRequest.$Properties|null);

                        /** ResolveSourceMetaRequest image */
                        image?: (moby.buildkit.v1.frontend.ResolveSourceImageRequest.$Properties|null);

                        /** ResolveSourceMetaRequest http */
                        http?: (moby.buildkit.v1.frontend.ResolveSourceHTTPRequest.$Properties|null);

                        /** ResolveSourceMetaRequest sourcePolicies */
                        sourcePolicies?: (moby.buildkit.v1.sourcepolicy.Policy.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResolveSourceMetaRequest. */
                    type $Shape = moby.buildkit.v1.frontend.ResolveSourceMetaRequest.$Properties;
                }

                /**
                 * Properties of a ResolveSourceMetaResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.ResolveSourceMetaResponse.$Properties instead.
                 */
                interface IResolveSourceMetaResponse extends moby.buildkit.v1.frontend.ResolveSourceMetaResponse.$Properties {
                }

                /** Represents a ResolveSourceMetaResponse. */
                class ResolveSourceMetaResponse {

                    /**
                     * Constructs a new ResolveSourceMetaResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResolveSourceMetaResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResolveSourceMetaResponse source. */
                    source?: (pb.SourceOp.$Properties|null);

                    /** ResolveSourceMetaResponse image. */
                    image?: (moby.buildkit.v1.frontend.ResolveSourceImageResponse.$Properties|null);

                    /** ResolveSourceMetaResponse git. */
                    git?: (moby.buildkit.v1.frontend.ResolveSourceGitResponse.$Properties|null);

                    /** ResolveSourceMetaResponse http. */
                    http?: (moby.buildkit.v1.frontend.ResolveSourceHTTPResponse.$Properties|null);

                    /**
                     * Encodes the specified ResolveSourceMetaResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.ResolveSourceMetaResponse.verify|verify} messages.
                     * @param message ResolveSourceMetaResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResolveSourceMetaResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResolveSourceMetaResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResolveSourceMetaResponse & moby.buildkit.v1.frontend.ResolveSourceMetaResponse.$Shape} ResolveSourceMetaResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResolveSourceMetaResponse & moby.buildkit.v1.frontend.ResolveSourceMetaResponse.$Shape;
                }

                namespace ResolveSourceMetaResponse {

                    /** Properties of a ResolveSourceMetaResponse. */
                    interface $Properties {

                        /** ResolveSourceMetaResponse source */
                        source?: (pb.SourceOp.$Properties|null);

                        /** ResolveSourceMetaResponse image */
                        image?: (moby.buildkit.v1.frontend.ResolveSourceImageResponse.$Properties|null);

                        /** ResolveSourceMetaResponse git */
                        git?: (moby.buildkit.v1.frontend.ResolveSourceGitResponse.$Properties|null);

                        /** ResolveSourceMetaResponse http */
                        http?: (moby.buildkit.v1.frontend.ResolveSourceHTTPResponse.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResolveSourceMetaResponse. */
                    type $Shape = moby.buildkit.v1.frontend.ResolveSourceMetaResponse.$Properties;
                }

                /**
                 * Properties of a ResolveSourceImageRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.ResolveSourceImageRequest.$Properties instead.
                 */
                interface IResolveSourceImageRequest extends moby.buildkit.v1.frontend.ResolveSourceImageRequest.$Properties {
                }

                /** Represents a ResolveSourceImageRequest. */
                class ResolveSourceImageRequest {

                    /**
                     * Constructs a new ResolveSourceImageRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResolveSourceImageRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResolveSourceImageRequest noConfig. */
                    noConfig: boolean;

                    /** ResolveSourceImageRequest attestationChain. */
                    attestationChain: boolean;

                    /** ResolveSourceImageRequest resolveAttestations. */
                    resolveAttestations: string[];

                    /**
                     * Encodes the specified ResolveSourceImageRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.ResolveSourceImageRequest.verify|verify} messages.
                     * @param message ResolveSourceImageRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResolveSourceImageRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResolveSourceImageRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResolveSourceImageRequest & moby.buildkit.v1.frontend.ResolveSourceImageRequest.$Shape} ResolveSourceImageRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResolveSourceImageRequest & moby.buildkit.v1.frontend.ResolveSourceImageRequest.$Shape;
                }

                namespace ResolveSourceImageRequest {

                    /** Properties of a ResolveSourceImageRequest. */
                    interface $Properties {

                        /** ResolveSourceImageRequest noConfig */
                        noConfig?: (boolean|null);

                        /** ResolveSourceImageRequest attestationChain */
                        attestationChain?: (boolean|null);

                        /** ResolveSourceImageRequest resolveAttestations */
                        resolveAttestations?: (string[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResolveSourceImageRequest. */
                    type $Shape = moby.buildkit.v1.frontend.ResolveSourceImageRequest.$Properties;
                }

                /**
                 * Properties of a ResolveSourceImageResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.ResolveSourceImageResponse.$Properties instead.
                 */
                interface IResolveSourceImageResponse extends moby.buildkit.v1.frontend.ResolveSourceImageResponse.$Properties {
                }

                /** Represents a ResolveSourceImageResponse. */
                class ResolveSourceImageResponse {

                    /**
                     * Constructs a new ResolveSourceImageResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResolveSourceImageResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResolveSourceImageResponse digest. */
                    digest: string;

                    /** ResolveSourceImageResponse config. */
                    config: Uint8Array;

                    /** ResolveSourceImageResponse attestationChain. */
                    attestationChain?: (moby.buildkit.v1.frontend.AttestationChain.$Properties|null);

                    /**
                     * Encodes the specified ResolveSourceImageResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.ResolveSourceImageResponse.verify|verify} messages.
                     * @param message ResolveSourceImageResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResolveSourceImageResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResolveSourceImageResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResolveSourceImageResponse & moby.buildkit.v1.frontend.ResolveSourceImageResponse.$Shape} ResolveSourceImageResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResolveSourceImageResponse & moby.buildkit.v1.frontend.ResolveSourceImageResponse.$Shape;
                }

                namespace ResolveSourceImageResponse {

                    /** Properties of a ResolveSourceImageResponse. */
                    interface $Properties {

                        /** ResolveSourceImageResponse digest */
                        digest?: (string|null);

                        /** ResolveSourceImageResponse config */
                        config?: (Uint8Array|null);

                        /** ResolveSourceImageResponse attestationChain */
                        attestationChain?: (moby.buildkit.v1.frontend.AttestationChain.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResolveSourceImageResponse. */
                    type $Shape = moby.buildkit.v1.frontend.ResolveSourceImageResponse.$Properties;
                }

                /**
                 * Properties of an AttestationChain.
                 * @deprecated Use moby.buildkit.v1.frontend.AttestationChain.$Properties instead.
                 */
                interface IAttestationChain extends moby.buildkit.v1.frontend.AttestationChain.$Properties {
                }

                /** Represents an AttestationChain. */
                class AttestationChain {

                    /**
                     * Constructs a new AttestationChain.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.AttestationChain.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** AttestationChain root. */
                    root: string;

                    /** AttestationChain imageManifest. */
                    imageManifest: string;

                    /** AttestationChain attestationManifest. */
                    attestationManifest: string;

                    /** AttestationChain signatureManifests. */
                    signatureManifests: string[];

                    /** AttestationChain blobs. */
                    blobs: { [k: string]: moby.buildkit.v1.frontend.Blob.$Properties };

                    /**
                     * Encodes the specified AttestationChain message. Does not implicitly {@link moby.buildkit.v1.frontend.AttestationChain.verify|verify} messages.
                     * @param message AttestationChain message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.AttestationChain.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an AttestationChain message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.AttestationChain & moby.buildkit.v1.frontend.AttestationChain.$Shape} AttestationChain
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.AttestationChain & moby.buildkit.v1.frontend.AttestationChain.$Shape;
                }

                namespace AttestationChain {

                    /** Properties of an AttestationChain. */
                    interface $Properties {

                        /** AttestationChain root */
                        root?: (string|null);

                        /** AttestationChain imageManifest */
                        imageManifest?: (string|null);

                        /** AttestationChain attestationManifest */
                        attestationManifest?: (string|null);

                        /** AttestationChain signatureManifests */
                        signatureManifests?: (string[]|null);

                        /** AttestationChain blobs */
                        blobs?: ({ [k: string]: moby.buildkit.v1.frontend.Blob.$Properties }|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an AttestationChain. */
                    type $Shape = moby.buildkit.v1.frontend.AttestationChain.$Properties;
                }

                /**
                 * Properties of a Blob.
                 * @deprecated Use moby.buildkit.v1.frontend.Blob.$Properties instead.
                 */
                interface IBlob extends moby.buildkit.v1.frontend.Blob.$Properties {
                }

                /** Represents a Blob. */
                class Blob {

                    /**
                     * Constructs a new Blob.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.Blob.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Blob descriptor. */
                    descriptor?: (moby.buildkit.v1.frontend.Descriptor.$Properties|null);

                    /** Blob data. */
                    data: Uint8Array;

                    /**
                     * Encodes the specified Blob message. Does not implicitly {@link moby.buildkit.v1.frontend.Blob.verify|verify} messages.
                     * @param message Blob message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.Blob.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a Blob message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.Blob & moby.buildkit.v1.frontend.Blob.$Shape} Blob
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.Blob & moby.buildkit.v1.frontend.Blob.$Shape;
                }

                namespace Blob {

                    /** Properties of a Blob. */
                    interface $Properties {

                        /** Blob descriptor */
                        descriptor?: (moby.buildkit.v1.frontend.Descriptor.$Properties|null);

                        /** Blob data */
                        data?: (Uint8Array|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a Blob. */
                    type $Shape = moby.buildkit.v1.frontend.Blob.$Properties;
                }

                /**
                 * Properties of a Descriptor.
                 * @deprecated Use moby.buildkit.v1.frontend.Descriptor.$Properties instead.
                 */
                interface IDescriptor extends moby.buildkit.v1.frontend.Descriptor.$Properties {
                }

                /** Represents a Descriptor. */
                class Descriptor {

                    /**
                     * Constructs a new Descriptor.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.Descriptor.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Descriptor mediaType. */
                    mediaType: string;

                    /** Descriptor digest. */
                    digest: string;

                    /** Descriptor size. */
                    size: (number|Long);

                    /** Descriptor annotations. */
                    annotations: { [k: string]: string };

                    /**
                     * Encodes the specified Descriptor message. Does not implicitly {@link moby.buildkit.v1.frontend.Descriptor.verify|verify} messages.
                     * @param message Descriptor message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.Descriptor.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a Descriptor message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.Descriptor & moby.buildkit.v1.frontend.Descriptor.$Shape} Descriptor
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.Descriptor & moby.buildkit.v1.frontend.Descriptor.$Shape;
                }

                namespace Descriptor {

                    /** Properties of a Descriptor. */
                    interface $Properties {

                        /** Descriptor mediaType */
                        mediaType?: (string|null);

                        /** Descriptor digest */
                        digest?: (string|null);

                        /** Descriptor size */
                        size?: (number|Long|null);

                        /** Descriptor annotations */
                        annotations?: ({ [k: string]: string }|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a Descriptor. */
                    type $Shape = moby.buildkit.v1.frontend.Descriptor.$Properties;
                }

                /**
                 * Properties of a ResolveSourceGitRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.ResolveSourceGitRequest.$Properties instead.
                 */
                interface IResolveSourceGitRequest extends moby.buildkit.v1.frontend.ResolveSourceGitRequest.$Properties {
                }

                /** Represents a ResolveSourceGitRequest. */
                class ResolveSourceGitRequest {

                    /**
                     * Constructs a new ResolveSourceGitRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResolveSourceGitRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResolveSourceGitRequest returnObject. */
                    returnObject: boolean;

                    /**
                     * Encodes the specified ResolveSourceGitRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.ResolveSourceGitRequest.verify|verify} messages.
                     * @param message ResolveSourceGitRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResolveSourceGitRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResolveSourceGitRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResolveSourceGitRequest & moby.buildkit.v1.frontend.ResolveSourceGitRequest.$Shape} ResolveSourceGitRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResolveSourceGitRequest & moby.buildkit.v1.frontend.ResolveSourceGitRequest.$Shape;
                }

                namespace ResolveSourceGitRequest {

                    /** Properties of a ResolveSourceGitRequest. */
                    interface $Properties {

                        /** ResolveSourceGitRequest returnObject */
                        returnObject?: (boolean|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResolveSourceGitRequest. */
                    type $Shape = moby.buildkit.v1.frontend.ResolveSourceGitRequest.$Properties;
                }

                /**
                 * Properties of a ResolveSourceGitResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.ResolveSourceGitResponse.$Properties instead.
                 */
                interface IResolveSourceGitResponse extends moby.buildkit.v1.frontend.ResolveSourceGitResponse.$Properties {
                }

                /** Represents a ResolveSourceGitResponse. */
                class ResolveSourceGitResponse {

                    /**
                     * Constructs a new ResolveSourceGitResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResolveSourceGitResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResolveSourceGitResponse checksum. */
                    checksum: string;

                    /** ResolveSourceGitResponse ref. */
                    ref: string;

                    /** ResolveSourceGitResponse commitChecksum. */
                    commitChecksum: string;

                    /** ResolveSourceGitResponse commitObject. */
                    commitObject: Uint8Array;

                    /** ResolveSourceGitResponse tagObject. */
                    tagObject: Uint8Array;

                    /**
                     * Encodes the specified ResolveSourceGitResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.ResolveSourceGitResponse.verify|verify} messages.
                     * @param message ResolveSourceGitResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResolveSourceGitResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResolveSourceGitResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResolveSourceGitResponse & moby.buildkit.v1.frontend.ResolveSourceGitResponse.$Shape} ResolveSourceGitResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResolveSourceGitResponse & moby.buildkit.v1.frontend.ResolveSourceGitResponse.$Shape;
                }

                namespace ResolveSourceGitResponse {

                    /** Properties of a ResolveSourceGitResponse. */
                    interface $Properties {

                        /** ResolveSourceGitResponse checksum */
                        checksum?: (string|null);

                        /** ResolveSourceGitResponse ref */
                        ref?: (string|null);

                        /** ResolveSourceGitResponse commitChecksum */
                        commitChecksum?: (string|null);

                        /** ResolveSourceGitResponse commitObject */
                        commitObject?: (Uint8Array|null);

                        /** ResolveSourceGitResponse tagObject */
                        tagObject?: (Uint8Array|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResolveSourceGitResponse. */
                    type $Shape = moby.buildkit.v1.frontend.ResolveSourceGitResponse.$Properties;
                }

                /**
                 * Properties of a ResolveSourceHTTPRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.ResolveSourceHTTPRequest.$Properties instead.
                 */
                interface IResolveSourceHTTPRequest extends moby.buildkit.v1.frontend.ResolveSourceHTTPRequest.$Properties {
                }

                /** Represents a ResolveSourceHTTPRequest. */
                class ResolveSourceHTTPRequest {

                    /**
                     * Constructs a new ResolveSourceHTTPRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResolveSourceHTTPRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResolveSourceHTTPRequest checksumRequest. */
                    checksumRequest?: (moby.buildkit.v1.frontend.ChecksumRequest.$Properties|null);

                    /**
                     * Encodes the specified ResolveSourceHTTPRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.ResolveSourceHTTPRequest.verify|verify} messages.
                     * @param message ResolveSourceHTTPRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResolveSourceHTTPRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResolveSourceHTTPRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResolveSourceHTTPRequest & moby.buildkit.v1.frontend.ResolveSourceHTTPRequest.$Shape} ResolveSourceHTTPRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResolveSourceHTTPRequest & moby.buildkit.v1.frontend.ResolveSourceHTTPRequest.$Shape;
                }

                namespace ResolveSourceHTTPRequest {

                    /** Properties of a ResolveSourceHTTPRequest. */
                    interface $Properties {

                        /** ResolveSourceHTTPRequest checksumRequest */
                        checksumRequest?: (moby.buildkit.v1.frontend.ChecksumRequest.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResolveSourceHTTPRequest. */
                    type $Shape = moby.buildkit.v1.frontend.ResolveSourceHTTPRequest.$Properties;
                }

                /**
                 * Properties of a ResolveSourceHTTPResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.ResolveSourceHTTPResponse.$Properties instead.
                 */
                interface IResolveSourceHTTPResponse extends moby.buildkit.v1.frontend.ResolveSourceHTTPResponse.$Properties {
                }

                /** Represents a ResolveSourceHTTPResponse. */
                class ResolveSourceHTTPResponse {

                    /**
                     * Constructs a new ResolveSourceHTTPResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResolveSourceHTTPResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResolveSourceHTTPResponse checksum. */
                    checksum: string;

                    /** ResolveSourceHTTPResponse filename. */
                    filename: string;

                    /** ResolveSourceHTTPResponse lastModified. */
                    lastModified?: (google.protobuf.Timestamp.$Properties|null);

                    /** ResolveSourceHTTPResponse checksumResponse. */
                    checksumResponse?: (moby.buildkit.v1.frontend.ChecksumResponse.$Properties|null);

                    /**
                     * Encodes the specified ResolveSourceHTTPResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.ResolveSourceHTTPResponse.verify|verify} messages.
                     * @param message ResolveSourceHTTPResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResolveSourceHTTPResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResolveSourceHTTPResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResolveSourceHTTPResponse & moby.buildkit.v1.frontend.ResolveSourceHTTPResponse.$Shape} ResolveSourceHTTPResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResolveSourceHTTPResponse & moby.buildkit.v1.frontend.ResolveSourceHTTPResponse.$Shape;
                }

                namespace ResolveSourceHTTPResponse {

                    /** Properties of a ResolveSourceHTTPResponse. */
                    interface $Properties {

                        /** ResolveSourceHTTPResponse checksum */
                        checksum?: (string|null);

                        /** ResolveSourceHTTPResponse filename */
                        filename?: (string|null);

                        /** ResolveSourceHTTPResponse lastModified */
                        lastModified?: (google.protobuf.Timestamp.$Properties|null);

                        /** ResolveSourceHTTPResponse checksumResponse */
                        checksumResponse?: (moby.buildkit.v1.frontend.ChecksumResponse.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResolveSourceHTTPResponse. */
                    type $Shape = moby.buildkit.v1.frontend.ResolveSourceHTTPResponse.$Properties;
                }

                /**
                 * Properties of a ChecksumRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.ChecksumRequest.$Properties instead.
                 */
                interface IChecksumRequest extends moby.buildkit.v1.frontend.ChecksumRequest.$Properties {
                }

                /** Represents a ChecksumRequest. */
                class ChecksumRequest {

                    /**
                     * Constructs a new ChecksumRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ChecksumRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ChecksumRequest algo. */
                    algo: moby.buildkit.v1.frontend.ChecksumRequest.ChecksumAlgo;

                    /** ChecksumRequest suffix. */
                    suffix: Uint8Array;

                    /**
                     * Encodes the specified ChecksumRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.ChecksumRequest.verify|verify} messages.
                     * @param message ChecksumRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ChecksumRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ChecksumRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ChecksumRequest & moby.buildkit.v1.frontend.ChecksumRequest.$Shape} ChecksumRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ChecksumRequest & moby.buildkit.v1.frontend.ChecksumRequest.$Shape;
                }

                namespace ChecksumRequest {

                    /** Properties of a ChecksumRequest. */
                    interface $Properties {

                        /** ChecksumRequest algo */
                        algo?: (moby.buildkit.v1.frontend.ChecksumRequest.ChecksumAlgo|null);

                        /** ChecksumRequest suffix */
                        suffix?: (Uint8Array|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ChecksumRequest. */
                    type $Shape = moby.buildkit.v1.frontend.ChecksumRequest.$Properties;

                    /** ChecksumAlgo enum. */
                    enum ChecksumAlgo {

                        /** CHECKSUM_ALGO_SHA256 value */
                        CHECKSUM_ALGO_SHA256 = 0,

                        /** CHECKSUM_ALGO_SHA384 value */
                        CHECKSUM_ALGO_SHA384 = 1,

                        /** CHECKSUM_ALGO_SHA512 value */
                        CHECKSUM_ALGO_SHA512 = 2
                    }
                }

                /**
                 * Properties of a ChecksumResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.ChecksumResponse.$Properties instead.
                 */
                interface IChecksumResponse extends moby.buildkit.v1.frontend.ChecksumResponse.$Properties {
                }

                /** Represents a ChecksumResponse. */
                class ChecksumResponse {

                    /**
                     * Constructs a new ChecksumResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ChecksumResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ChecksumResponse digest. */
                    digest: string;

                    /** ChecksumResponse suffix. */
                    suffix: Uint8Array;

                    /**
                     * Encodes the specified ChecksumResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.ChecksumResponse.verify|verify} messages.
                     * @param message ChecksumResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ChecksumResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ChecksumResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ChecksumResponse & moby.buildkit.v1.frontend.ChecksumResponse.$Shape} ChecksumResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ChecksumResponse & moby.buildkit.v1.frontend.ChecksumResponse.$Shape;
                }

                namespace ChecksumResponse {

                    /** Properties of a ChecksumResponse. */
                    interface $Properties {

                        /** ChecksumResponse digest */
                        digest?: (string|null);

                        /** ChecksumResponse suffix */
                        suffix?: (Uint8Array|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ChecksumResponse. */
                    type $Shape = moby.buildkit.v1.frontend.ChecksumResponse.$Properties;
                }

                /**
                 * Properties of a SolveRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.SolveRequest.$Properties instead.
                 */
                interface ISolveRequest extends moby.buildkit.v1.frontend.SolveRequest.$Properties {
                }

                /** Represents a SolveRequest. */
                class SolveRequest {

                    /**
                     * Constructs a new SolveRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.SolveRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** SolveRequest definition. */
                    definition: Uint8Array;

                    /** SolveRequest frontend. */
                    frontend: string;

                    /** SolveRequest frontendOpt. */
                    frontendOpt: { [k: string]: string };

                    /** SolveRequest allowResultReturn. */
                    allowResultReturn: boolean;

                    /** SolveRequest allowResultArrayRef. */
                    allowResultArrayRef: boolean;

                    /** SolveRequest final. */
                    final: boolean;

                    /** SolveRequest exporterAttr. */
                    exporterAttr: Uint8Array;

                    /** SolveRequest cacheImports. */
                    cacheImports: moby.buildkit.v1.frontend.CacheOptionsEntry.$Properties[];

                    /** SolveRequest frontendInputs. */
                    frontendInputs: { [k: string]: Uint8Array };

                    /** SolveRequest evaluate. */
                    evaluate: boolean;

                    /** SolveRequest sourcePolicies. */
                    sourcePolicies: moby.buildkit.v1.sourcepolicy.Policy.$Properties[];

                    /**
                     * Encodes the specified SolveRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.SolveRequest.verify|verify} messages.
                     * @param message SolveRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.SolveRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a SolveRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.SolveRequest & moby.buildkit.v1.frontend.SolveRequest.$Shape} SolveRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.SolveRequest & moby.buildkit.v1.frontend.SolveRequest.$Shape;
                }

                namespace SolveRequest {

                    /** Properties of a SolveRequest. */
                    interface $Properties {

                        /** SolveRequest definition */
                        definition?: (Uint8Array|null);

                        /** SolveRequest frontend */
                        frontend?: (string|null);

                        /** SolveRequest frontendOpt */
                        frontendOpt?: ({ [k: string]: string }|null);

                        /** SolveRequest allowResultReturn */
                        allowResultReturn?: (boolean|null);

                        /** SolveRequest allowResultArrayRef */
                        allowResultArrayRef?: (boolean|null);

                        /** SolveRequest final */
                        final?: (boolean|null);

                        /** SolveRequest exporterAttr */
                        exporterAttr?: (Uint8Array|null);

                        /** SolveRequest cacheImports */
                        cacheImports?: (moby.buildkit.v1.frontend.CacheOptionsEntry.$Properties[]|null);

                        /** SolveRequest frontendInputs */
                        frontendInputs?: ({ [k: string]: Uint8Array }|null);

                        /** SolveRequest evaluate */
                        evaluate?: (boolean|null);

                        /** SolveRequest sourcePolicies */
                        sourcePolicies?: (moby.buildkit.v1.sourcepolicy.Policy.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a SolveRequest. */
                    type $Shape = moby.buildkit.v1.frontend.SolveRequest.$Properties;
                }

                /**
                 * Properties of a CacheOptionsEntry.
                 * @deprecated Use moby.buildkit.v1.frontend.CacheOptionsEntry.$Properties instead.
                 */
                interface ICacheOptionsEntry extends moby.buildkit.v1.frontend.CacheOptionsEntry.$Properties {
                }

                /** Represents a CacheOptionsEntry. */
                class CacheOptionsEntry {

                    /**
                     * Constructs a new CacheOptionsEntry.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.CacheOptionsEntry.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** CacheOptionsEntry type. */
                    type: string;

                    /** CacheOptionsEntry attrs. */
                    attrs: { [k: string]: string };

                    /**
                     * Encodes the specified CacheOptionsEntry message. Does not implicitly {@link moby.buildkit.v1.frontend.CacheOptionsEntry.verify|verify} messages.
                     * @param message CacheOptionsEntry message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.CacheOptionsEntry.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a CacheOptionsEntry message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.CacheOptionsEntry & moby.buildkit.v1.frontend.CacheOptionsEntry.$Shape} CacheOptionsEntry
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.CacheOptionsEntry & moby.buildkit.v1.frontend.CacheOptionsEntry.$Shape;
                }

                namespace CacheOptionsEntry {

                    /** Properties of a CacheOptionsEntry. */
                    interface $Properties {

                        /** CacheOptionsEntry type */
                        type?: (string|null);

                        /** CacheOptionsEntry attrs */
                        attrs?: ({ [k: string]: string }|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a CacheOptionsEntry. */
                    type $Shape = moby.buildkit.v1.frontend.CacheOptionsEntry.$Properties;
                }

                /**
                 * Properties of a SolveResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.SolveResponse.$Properties instead.
                 */
                interface ISolveResponse extends moby.buildkit.v1.frontend.SolveResponse.$Properties {
                }

                /** Represents a SolveResponse. */
                class SolveResponse {

                    /**
                     * Constructs a new SolveResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.SolveResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** SolveResponse ref. */
                    ref: string;

                    /** SolveResponse result. */
                    result?: (moby.buildkit.v1.frontend.Result.$Properties|null);

                    /**
                     * Encodes the specified SolveResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.SolveResponse.verify|verify} messages.
                     * @param message SolveResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.SolveResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a SolveResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.SolveResponse & moby.buildkit.v1.frontend.SolveResponse.$Shape} SolveResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.SolveResponse & moby.buildkit.v1.frontend.SolveResponse.$Shape;
                }

                namespace SolveResponse {

                    /** Properties of a SolveResponse. */
                    interface $Properties {

                        /** SolveResponse ref */
                        ref?: (string|null);

                        /** SolveResponse result */
                        result?: (moby.buildkit.v1.frontend.Result.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a SolveResponse. */
                    type $Shape = {
                      ref?: string|null;
                      result?: moby.buildkit.v1.frontend.Result.$Shape|null;
                      $unknowns?: Uint8Array[];
                    };
                }

                /**
                 * Properties of a FileRange.
                 * @deprecated Use moby.buildkit.v1.frontend.FileRange.$Properties instead.
                 */
                interface IFileRange extends moby.buildkit.v1.frontend.FileRange.$Properties {
                }

                /** Represents a FileRange. */
                class FileRange {

                    /**
                     * Constructs a new FileRange.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.FileRange.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** FileRange offset. */
                    offset: (number|Long);

                    /** FileRange length. */
                    length: (number|Long);

                    /**
                     * Encodes the specified FileRange message. Does not implicitly {@link moby.buildkit.v1.frontend.FileRange.verify|verify} messages.
                     * @param message FileRange message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.FileRange.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a FileRange message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.FileRange & moby.buildkit.v1.frontend.FileRange.$Shape} FileRange
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.FileRange & moby.buildkit.v1.frontend.FileRange.$Shape;
                }

                namespace FileRange {

                    /** Properties of a FileRange. */
                    interface $Properties {

                        /** FileRange offset */
                        offset?: (number|Long|null);

                        /** FileRange length */
                        length?: (number|Long|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a FileRange. */
                    type $Shape = moby.buildkit.v1.frontend.FileRange.$Properties;
                }

                /**
                 * Properties of a ReadFileRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.ReadFileRequest.$Properties instead.
                 */
                interface IReadFileRequest extends moby.buildkit.v1.frontend.ReadFileRequest.$Properties {
                }

                /** Represents a ReadFileRequest. */
                class ReadFileRequest {

                    /**
                     * Constructs a new ReadFileRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ReadFileRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ReadFileRequest ref. */
                    ref: string;

                    /** ReadFileRequest filePath. */
                    filePath: string;

                    /** ReadFileRequest range. */
                    range?: (moby.buildkit.v1.frontend.FileRange.$Properties|null);

                    /** ReadFileRequest mountIndex. */
                    mountIndex: number;

                    /**
                     * Encodes the specified ReadFileRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.ReadFileRequest.verify|verify} messages.
                     * @param message ReadFileRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ReadFileRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ReadFileRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ReadFileRequest & moby.buildkit.v1.frontend.ReadFileRequest.$Shape} ReadFileRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ReadFileRequest & moby.buildkit.v1.frontend.ReadFileRequest.$Shape;
                }

                namespace ReadFileRequest {

                    /** Properties of a ReadFileRequest. */
                    interface $Properties {

                        /** ReadFileRequest ref */
                        ref?: (string|null);

                        /** ReadFileRequest filePath */
                        filePath?: (string|null);

                        /** ReadFileRequest range */
                        range?: (moby.buildkit.v1.frontend.FileRange.$Properties|null);

                        /** ReadFileRequest mountIndex */
                        mountIndex?: (number|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ReadFileRequest. */
                    type $Shape = moby.buildkit.v1.frontend.ReadFileRequest.$Properties;
                }

                /**
                 * Properties of a ReadFileResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.ReadFileResponse.$Properties instead.
                 */
                interface IReadFileResponse extends moby.buildkit.v1.frontend.ReadFileResponse.$Properties {
                }

                /** Represents a ReadFileResponse. */
                class ReadFileResponse {

                    /**
                     * Constructs a new ReadFileResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ReadFileResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ReadFileResponse data. */
                    data: Uint8Array;

                    /**
                     * Encodes the specified ReadFileResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.ReadFileResponse.verify|verify} messages.
                     * @param message ReadFileResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ReadFileResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ReadFileResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ReadFileResponse & moby.buildkit.v1.frontend.ReadFileResponse.$Shape} ReadFileResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ReadFileResponse & moby.buildkit.v1.frontend.ReadFileResponse.$Shape;
                }

                namespace ReadFileResponse {

                    /** Properties of a ReadFileResponse. */
                    interface $Properties {

                        /** ReadFileResponse data */
                        data?: (Uint8Array|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ReadFileResponse. */
                    type $Shape = moby.buildkit.v1.frontend.ReadFileResponse.$Properties;
                }

                /**
                 * Properties of a ReadDirRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.ReadDirRequest.$Properties instead.
                 */
                interface IReadDirRequest extends moby.buildkit.v1.frontend.ReadDirRequest.$Properties {
                }

                /** Represents a ReadDirRequest. */
                class ReadDirRequest {

                    /**
                     * Constructs a new ReadDirRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ReadDirRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ReadDirRequest ref. */
                    ref: string;

                    /** ReadDirRequest dirPath. */
                    dirPath: string;

                    /** ReadDirRequest includePattern. */
                    includePattern: string;

                    /** ReadDirRequest mountIndex. */
                    mountIndex: number;

                    /**
                     * Encodes the specified ReadDirRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.ReadDirRequest.verify|verify} messages.
                     * @param message ReadDirRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ReadDirRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ReadDirRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ReadDirRequest & moby.buildkit.v1.frontend.ReadDirRequest.$Shape} ReadDirRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ReadDirRequest & moby.buildkit.v1.frontend.ReadDirRequest.$Shape;
                }

                namespace ReadDirRequest {

                    /** Properties of a ReadDirRequest. */
                    interface $Properties {

                        /** ReadDirRequest ref */
                        ref?: (string|null);

                        /** ReadDirRequest dirPath */
                        dirPath?: (string|null);

                        /** ReadDirRequest includePattern */
                        includePattern?: (string|null);

                        /** ReadDirRequest mountIndex */
                        mountIndex?: (number|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ReadDirRequest. */
                    type $Shape = moby.buildkit.v1.frontend.ReadDirRequest.$Properties;
                }

                /**
                 * Properties of a ReadDirResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.ReadDirResponse.$Properties instead.
                 */
                interface IReadDirResponse extends moby.buildkit.v1.frontend.ReadDirResponse.$Properties {
                }

                /** Represents a ReadDirResponse. */
                class ReadDirResponse {

                    /**
                     * Constructs a new ReadDirResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ReadDirResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ReadDirResponse entries. */
                    entries: fsutil.types.Stat.$Properties[];

                    /**
                     * Encodes the specified ReadDirResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.ReadDirResponse.verify|verify} messages.
                     * @param message ReadDirResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ReadDirResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ReadDirResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ReadDirResponse & moby.buildkit.v1.frontend.ReadDirResponse.$Shape} ReadDirResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ReadDirResponse & moby.buildkit.v1.frontend.ReadDirResponse.$Shape;
                }

                namespace ReadDirResponse {

                    /** Properties of a ReadDirResponse. */
                    interface $Properties {

                        /** ReadDirResponse entries */
                        entries?: (fsutil.types.Stat.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ReadDirResponse. */
                    type $Shape = moby.buildkit.v1.frontend.ReadDirResponse.$Properties;
                }

                /**
                 * Properties of a StatFileRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.StatFileRequest.$Properties instead.
                 */
                interface IStatFileRequest extends moby.buildkit.v1.frontend.StatFileRequest.$Properties {
                }

                /** Represents a StatFileRequest. */
                class StatFileRequest {

                    /**
                     * Constructs a new StatFileRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.StatFileRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** StatFileRequest ref. */
                    ref: string;

                    /** StatFileRequest path. */
                    path: string;

                    /** StatFileRequest mountIndex. */
                    mountIndex: number;

                    /**
                     * Encodes the specified StatFileRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.StatFileRequest.verify|verify} messages.
                     * @param message StatFileRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.StatFileRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a StatFileRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.StatFileRequest & moby.buildkit.v1.frontend.StatFileRequest.$Shape} StatFileRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.StatFileRequest & moby.buildkit.v1.frontend.StatFileRequest.$Shape;
                }

                namespace StatFileRequest {

                    /** Properties of a StatFileRequest. */
                    interface $Properties {

                        /** StatFileRequest ref */
                        ref?: (string|null);

                        /** StatFileRequest path */
                        path?: (string|null);

                        /** StatFileRequest mountIndex */
                        mountIndex?: (number|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a StatFileRequest. */
                    type $Shape = moby.buildkit.v1.frontend.StatFileRequest.$Properties;
                }

                /**
                 * Properties of a StatFileResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.StatFileResponse.$Properties instead.
                 */
                interface IStatFileResponse extends moby.buildkit.v1.frontend.StatFileResponse.$Properties {
                }

                /** Represents a StatFileResponse. */
                class StatFileResponse {

                    /**
                     * Constructs a new StatFileResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.StatFileResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** StatFileResponse stat. */
                    stat?: (fsutil.types.Stat.$Properties|null);

                    /**
                     * Encodes the specified StatFileResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.StatFileResponse.verify|verify} messages.
                     * @param message StatFileResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.StatFileResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a StatFileResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.StatFileResponse & moby.buildkit.v1.frontend.StatFileResponse.$Shape} StatFileResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.StatFileResponse & moby.buildkit.v1.frontend.StatFileResponse.$Shape;
                }

                namespace StatFileResponse {

                    /** Properties of a StatFileResponse. */
                    interface $Properties {

                        /** StatFileResponse stat */
                        stat?: (fsutil.types.Stat.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a StatFileResponse. */
                    type $Shape = moby.buildkit.v1.frontend.StatFileResponse.$Properties;
                }

                /**
                 * Properties of an EvaluateRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.EvaluateRequest.$Properties instead.
                 */
                interface IEvaluateRequest extends moby.buildkit.v1.frontend.EvaluateRequest.$Properties {
                }

                /** Represents an EvaluateRequest. */
                class EvaluateRequest {

                    /**
                     * Constructs a new EvaluateRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.EvaluateRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** EvaluateRequest ref. */
                    ref: string;

                    /**
                     * Encodes the specified EvaluateRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.EvaluateRequest.verify|verify} messages.
                     * @param message EvaluateRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.EvaluateRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an EvaluateRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.EvaluateRequest & moby.buildkit.v1.frontend.EvaluateRequest.$Shape} EvaluateRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.EvaluateRequest & moby.buildkit.v1.frontend.EvaluateRequest.$Shape;
                }

                namespace EvaluateRequest {

                    /** Properties of an EvaluateRequest. */
                    interface $Properties {

                        /** EvaluateRequest ref */
                        ref?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an EvaluateRequest. */
                    type $Shape = moby.buildkit.v1.frontend.EvaluateRequest.$Properties;
                }

                /**
                 * Properties of an EvaluateResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.EvaluateResponse.$Properties instead.
                 */
                interface IEvaluateResponse extends moby.buildkit.v1.frontend.EvaluateResponse.$Properties {
                }

                /** Represents an EvaluateResponse. */
                class EvaluateResponse {

                    /**
                     * Constructs a new EvaluateResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.EvaluateResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /**
                     * Encodes the specified EvaluateResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.EvaluateResponse.verify|verify} messages.
                     * @param message EvaluateResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.EvaluateResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an EvaluateResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.EvaluateResponse & moby.buildkit.v1.frontend.EvaluateResponse.$Shape} EvaluateResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.EvaluateResponse & moby.buildkit.v1.frontend.EvaluateResponse.$Shape;
                }

                namespace EvaluateResponse {

                    /** Properties of an EvaluateResponse. */
                    interface $Properties {

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an EvaluateResponse. */
                    type $Shape = moby.buildkit.v1.frontend.EvaluateResponse.$Properties;
                }

                /**
                 * Properties of a PingRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.PingRequest.$Properties instead.
                 */
                interface IPingRequest extends moby.buildkit.v1.frontend.PingRequest.$Properties {
                }

                /** Represents a PingRequest. */
                class PingRequest {

                    /**
                     * Constructs a new PingRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.PingRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /**
                     * Encodes the specified PingRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.PingRequest.verify|verify} messages.
                     * @param message PingRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.PingRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a PingRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.PingRequest & moby.buildkit.v1.frontend.PingRequest.$Shape} PingRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.PingRequest & moby.buildkit.v1.frontend.PingRequest.$Shape;
                }

                namespace PingRequest {

                    /** Properties of a PingRequest. */
                    interface $Properties {

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a PingRequest. */
                    type $Shape = moby.buildkit.v1.frontend.PingRequest.$Properties;
                }

                /**
                 * Properties of a PongResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.PongResponse.$Properties instead.
                 */
                interface IPongResponse extends moby.buildkit.v1.frontend.PongResponse.$Properties {
                }

                /** Represents a PongResponse. */
                class PongResponse {

                    /**
                     * Constructs a new PongResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.PongResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** PongResponse frontendApiCaps. */
                    frontendApiCaps: moby.buildkit.v1.apicaps.APICap.$Properties[];

                    /** PongResponse llbCaps. */
                    llbCaps: moby.buildkit.v1.apicaps.APICap.$Properties[];

                    /** PongResponse workers. */
                    workers: moby.buildkit.v1.types.WorkerRecord.$Properties[];

                    /**
                     * Encodes the specified PongResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.PongResponse.verify|verify} messages.
                     * @param message PongResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.PongResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a PongResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.PongResponse & moby.buildkit.v1.frontend.PongResponse.$Shape} PongResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.PongResponse & moby.buildkit.v1.frontend.PongResponse.$Shape;
                }

                namespace PongResponse {

                    /** Properties of a PongResponse. */
                    interface $Properties {

                        /** PongResponse frontendApiCaps */
                        frontendApiCaps?: (moby.buildkit.v1.apicaps.APICap.$Properties[]|null);

                        /** PongResponse llbCaps */
                        llbCaps?: (moby.buildkit.v1.apicaps.APICap.$Properties[]|null);

                        /** PongResponse workers */
                        workers?: (moby.buildkit.v1.types.WorkerRecord.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a PongResponse. */
                    type $Shape = moby.buildkit.v1.frontend.PongResponse.$Properties;
                }

                /**
                 * Properties of a WarnRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.WarnRequest.$Properties instead.
                 */
                interface IWarnRequest extends moby.buildkit.v1.frontend.WarnRequest.$Properties {
                }

                /** Represents a WarnRequest. */
                class WarnRequest {

                    /**
                     * Constructs a new WarnRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.WarnRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** WarnRequest digest. */
                    digest: string;

                    /** WarnRequest level. */
                    level: (number|Long);

                    /** WarnRequest short. */
                    short: Uint8Array;

                    /** WarnRequest detail. */
                    detail: Uint8Array[];

                    /** WarnRequest url. */
                    url: string;

                    /** WarnRequest info. */
                    info?: (pb.SourceInfo.$Properties|null);

                    /** WarnRequest ranges. */
                    ranges: pb.Range.$Properties[];

                    /**
                     * Encodes the specified WarnRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.WarnRequest.verify|verify} messages.
                     * @param message WarnRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.WarnRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a WarnRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.WarnRequest & moby.buildkit.v1.frontend.WarnRequest.$Shape} WarnRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.WarnRequest & moby.buildkit.v1.frontend.WarnRequest.$Shape;
                }

                namespace WarnRequest {

                    /** Properties of a WarnRequest. */
                    interface $Properties {

                        /** WarnRequest digest */
                        digest?: (string|null);

                        /** WarnRequest level */
                        level?: (number|Long|null);

                        /** WarnRequest short */
                        short?: (Uint8Array|null);

                        /** WarnRequest detail */
                        detail?: (Uint8Array[]|null);

                        /** WarnRequest url */
                        url?: (string|null);

                        /** WarnRequest info */
                        info?: (pb.SourceInfo.$Properties|null);

                        /** WarnRequest ranges */
                        ranges?: (pb.Range.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a WarnRequest. */
                    type $Shape = moby.buildkit.v1.frontend.WarnRequest.$Properties;
                }

                /**
                 * Properties of a WarnResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.WarnResponse.$Properties instead.
                 */
                interface IWarnResponse extends moby.buildkit.v1.frontend.WarnResponse.$Properties {
                }

                /** Represents a WarnResponse. */
                class WarnResponse {

                    /**
                     * Constructs a new WarnResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.WarnResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /**
                     * Encodes the specified WarnResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.WarnResponse.verify|verify} messages.
                     * @param message WarnResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.WarnResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a WarnResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.WarnResponse & moby.buildkit.v1.frontend.WarnResponse.$Shape} WarnResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.WarnResponse & moby.buildkit.v1.frontend.WarnResponse.$Shape;
                }

                namespace WarnResponse {

                    /** Properties of a WarnResponse. */
                    interface $Properties {

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a WarnResponse. */
                    type $Shape = moby.buildkit.v1.frontend.WarnResponse.$Properties;
                }

                /**
                 * Properties of a NewContainerRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.NewContainerRequest.$Properties instead.
                 */
                interface INewContainerRequest extends moby.buildkit.v1.frontend.NewContainerRequest.$Properties {
                }

                /** Represents a NewContainerRequest. */
                class NewContainerRequest {

                    /**
                     * Constructs a new NewContainerRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.NewContainerRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** NewContainerRequest containerId. */
                    containerId: string;

                    /** NewContainerRequest mounts. */
                    mounts: pb.Mount.$Properties[];

                    /** NewContainerRequest network. */
                    network: pb.NetMode;

                    /** NewContainerRequest platform. */
                    platform?: (pb.Platform.$Properties|null);

                    /** NewContainerRequest constraints. */
                    constraints?: (pb.WorkerConstraints.$Properties|null);

                    /** NewContainerRequest extraHosts. */
                    extraHosts: pb.HostIP.$Properties[];

                    /** NewContainerRequest hostname. */
                    hostname: string;

                    /**
                     * Encodes the specified NewContainerRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.NewContainerRequest.verify|verify} messages.
                     * @param message NewContainerRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.NewContainerRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a NewContainerRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.NewContainerRequest & moby.buildkit.v1.frontend.NewContainerRequest.$Shape} NewContainerRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.NewContainerRequest & moby.buildkit.v1.frontend.NewContainerRequest.$Shape;
                }

                namespace NewContainerRequest {

                    /** Properties of a NewContainerRequest. */
                    interface $Properties {

                        /** NewContainerRequest containerId */
                        containerId?: (string|null);

                        /** NewContainerRequest mounts */
                        mounts?: (pb.Mount.$Properties[]|null);

                        /** NewContainerRequest network */
                        network?: (pb.NetMode|null);

                        /** NewContainerRequest platform */
                        platform?: (pb.Platform.$Properties|null);

                        /** NewContainerRequest constraints */
                        constraints?: (pb.WorkerConstraints.$Properties|null);

                        /** NewContainerRequest extraHosts */
                        extraHosts?: (pb.HostIP.$Properties[]|null);

                        /** NewContainerRequest hostname */
                        hostname?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a NewContainerRequest. */
                    type $Shape = moby.buildkit.v1.frontend.NewContainerRequest.$Properties;
                }

                /**
                 * Properties of a NewContainerResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.NewContainerResponse.$Properties instead.
                 */
                interface INewContainerResponse extends moby.buildkit.v1.frontend.NewContainerResponse.$Properties {
                }

                /** Represents a NewContainerResponse. */
                class NewContainerResponse {

                    /**
                     * Constructs a new NewContainerResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.NewContainerResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /**
                     * Encodes the specified NewContainerResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.NewContainerResponse.verify|verify} messages.
                     * @param message NewContainerResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.NewContainerResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a NewContainerResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.NewContainerResponse & moby.buildkit.v1.frontend.NewContainerResponse.$Shape} NewContainerResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.NewContainerResponse & moby.buildkit.v1.frontend.NewContainerResponse.$Shape;
                }

                namespace NewContainerResponse {

                    /** Properties of a NewContainerResponse. */
                    interface $Properties {

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a NewContainerResponse. */
                    type $Shape = moby.buildkit.v1.frontend.NewContainerResponse.$Properties;
                }

                /**
                 * Properties of a ReleaseContainerRequest.
                 * @deprecated Use moby.buildkit.v1.frontend.ReleaseContainerRequest.$Properties instead.
                 */
                interface IReleaseContainerRequest extends moby.buildkit.v1.frontend.ReleaseContainerRequest.$Properties {
                }

                /** Represents a ReleaseContainerRequest. */
                class ReleaseContainerRequest {

                    /**
                     * Constructs a new ReleaseContainerRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ReleaseContainerRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ReleaseContainerRequest containerId. */
                    containerId: string;

                    /**
                     * Encodes the specified ReleaseContainerRequest message. Does not implicitly {@link moby.buildkit.v1.frontend.ReleaseContainerRequest.verify|verify} messages.
                     * @param message ReleaseContainerRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ReleaseContainerRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ReleaseContainerRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ReleaseContainerRequest & moby.buildkit.v1.frontend.ReleaseContainerRequest.$Shape} ReleaseContainerRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ReleaseContainerRequest & moby.buildkit.v1.frontend.ReleaseContainerRequest.$Shape;
                }

                namespace ReleaseContainerRequest {

                    /** Properties of a ReleaseContainerRequest. */
                    interface $Properties {

                        /** ReleaseContainerRequest containerId */
                        containerId?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ReleaseContainerRequest. */
                    type $Shape = moby.buildkit.v1.frontend.ReleaseContainerRequest.$Properties;
                }

                /**
                 * Properties of a ReleaseContainerResponse.
                 * @deprecated Use moby.buildkit.v1.frontend.ReleaseContainerResponse.$Properties instead.
                 */
                interface IReleaseContainerResponse extends moby.buildkit.v1.frontend.ReleaseContainerResponse.$Properties {
                }

                /** Represents a ReleaseContainerResponse. */
                class ReleaseContainerResponse {

                    /**
                     * Constructs a new ReleaseContainerResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ReleaseContainerResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /**
                     * Encodes the specified ReleaseContainerResponse message. Does not implicitly {@link moby.buildkit.v1.frontend.ReleaseContainerResponse.verify|verify} messages.
                     * @param message ReleaseContainerResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ReleaseContainerResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ReleaseContainerResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ReleaseContainerResponse & moby.buildkit.v1.frontend.ReleaseContainerResponse.$Shape} ReleaseContainerResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ReleaseContainerResponse & moby.buildkit.v1.frontend.ReleaseContainerResponse.$Shape;
                }

                namespace ReleaseContainerResponse {

                    /** Properties of a ReleaseContainerResponse. */
                    interface $Properties {

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ReleaseContainerResponse. */
                    type $Shape = moby.buildkit.v1.frontend.ReleaseContainerResponse.$Properties;
                }

                /**
                 * Properties of an ExecMessage.
                 * @deprecated Use moby.buildkit.v1.frontend.ExecMessage.$Properties instead.
                 */
                interface IExecMessage extends moby.buildkit.v1.frontend.ExecMessage.$Properties {
                }

                /** Represents an ExecMessage. */
                class ExecMessage {

                    /**
                     * Constructs a new ExecMessage.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ExecMessage.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ExecMessage processId. */
                    processId: string;

                    /** ExecMessage init. */
                    init?: (moby.buildkit.v1.frontend.InitMessage.$Properties|null);

                    /** ExecMessage file. */
                    file?: (moby.buildkit.v1.frontend.FdMessage.$Properties|null);

                    /** ExecMessage resize. */
                    resize?: (moby.buildkit.v1.frontend.ResizeMessage.$Properties|null);

                    /** ExecMessage started. */
                    started?: (moby.buildkit.v1.frontend.StartedMessage.$Properties|null);

                    /** ExecMessage exit. */
                    exit?: (moby.buildkit.v1.frontend.ExitMessage.$Properties|null);

                    /** ExecMessage done. */
                    done?: (moby.buildkit.v1.frontend.DoneMessage.$Properties|null);

                    /** ExecMessage signal. */
                    signal?: (moby.buildkit.v1.frontend.SignalMessage.$Properties|null);

                    /** ExecMessage input. */
                    input?: ("init"|"file"|"resize"|"started"|"exit"|"done"|"signal");

                    /**
                     * Encodes the specified ExecMessage message. Does not implicitly {@link moby.buildkit.v1.frontend.ExecMessage.verify|verify} messages.
                     * @param message ExecMessage message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ExecMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an ExecMessage message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ExecMessage & moby.buildkit.v1.frontend.ExecMessage.$Shape} ExecMessage
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ExecMessage & moby.buildkit.v1.frontend.ExecMessage.$Shape;
                }

                namespace ExecMessage {

                    /** Properties of an ExecMessage. */
                    interface $Properties {

                        /** ExecMessage processId */
                        processId?: (string|null);

                        /** ExecMessage init */
                        init?: (moby.buildkit.v1.frontend.InitMessage.$Properties|null);

                        /** ExecMessage file */
                        file?: (moby.buildkit.v1.frontend.FdMessage.$Properties|null);

                        /** ExecMessage resize */
                        resize?: (moby.buildkit.v1.frontend.ResizeMessage.$Properties|null);

                        /** ExecMessage started */
                        started?: (moby.buildkit.v1.frontend.StartedMessage.$Properties|null);

                        /** ExecMessage exit */
                        exit?: (moby.buildkit.v1.frontend.ExitMessage.$Properties|null);

                        /** ExecMessage done */
                        done?: (moby.buildkit.v1.frontend.DoneMessage.$Properties|null);

                        /** ExecMessage signal */
                        signal?: (moby.buildkit.v1.frontend.SignalMessage.$Properties|null);

                        /** ExecMessage input */
                        input?: ("init"|"file"|"resize"|"started"|"exit"|"done"|"signal");

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Narrowed shape of an ExecMessage. */
                    type $Shape = {
                      processId?: string|null;
                      init?: moby.buildkit.v1.frontend.InitMessage.$Shape|null;
                      file?: moby.buildkit.v1.frontend.FdMessage.$Shape|null;
                      resize?: moby.buildkit.v1.frontend.ResizeMessage.$Shape|null;
                      started?: moby.buildkit.v1.frontend.StartedMessage.$Shape|null;
                      exit?: moby.buildkit.v1.frontend.ExitMessage.$Shape|null;
                      done?: moby.buildkit.v1.frontend.DoneMessage.$Shape|null;
                      signal?: moby.buildkit.v1.frontend.SignalMessage.$Shape|null;
                      $unknowns?: Uint8Array[];
                    } & (
                      ({ input?: undefined; init?: null; file?: null; resize?: null; started?: null; exit?: null; done?: null; signal?: null }|{ input?: "init"; init: moby.buildkit.v1.frontend.InitMessage.$Shape; file?: null; resize?: null; started?: null; exit?: null; done?: null; signal?: null }|{ input?: "file"; init?: null; file: moby.buildkit.v1.frontend.FdMessage.$Shape; resize?: null; started?: null; exit?: null; done?: null; signal?: null }|{ input?: "resize"; init?: null; file?: null; resize: moby.buildkit.v1.frontend.ResizeMessage.$Shape; started?: null; exit?: null; done?: null; signal?: null }|{ input?: "started"; init?: null; file?: null; resize?: null; started: moby.buildkit.v1.frontend.StartedMessage.$Shape; exit?: null; done?: null; signal?: null }|{ input?: "exit"; init?: null; file?: null; resize?: null; started?: null; exit: moby.buildkit.v1.frontend.ExitMessage.$Shape; done?: null; signal?: null }|{ input?: "done"; init?: null; file?: null; resize?: null; started?: null; exit?: null; done: moby.buildkit.v1.frontend.DoneMessage.$Shape; signal?: null }|{ input?: "signal"; init?: null; file?: null; resize?: null; started?: null; exit?: null; done?: null; signal: moby.buildkit.v1.frontend.SignalMessage.$Shape })
                    );
                }

                /**
                 * Properties of an InitMessage.
                 * @deprecated Use moby.buildkit.v1.frontend.InitMessage.$Properties instead.
                 */
                interface IInitMessage extends moby.buildkit.v1.frontend.InitMessage.$Properties {
                }

                /** Represents an InitMessage. */
                class InitMessage {

                    /**
                     * Constructs a new InitMessage.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.InitMessage.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** InitMessage containerId. */
                    containerId: string;

                    /** InitMessage meta. */
                    meta?: (pb.Meta.$Properties|null);

                    /** InitMessage fds. */
                    fds: number[];

                    /** InitMessage tty. */
                    tty: boolean;

                    /** InitMessage security. */
                    security: pb.SecurityMode;

                    /** InitMessage secretenv. */
                    secretenv: pb.SecretEnv.$Properties[];

                    /**
                     * Encodes the specified InitMessage message. Does not implicitly {@link moby.buildkit.v1.frontend.InitMessage.verify|verify} messages.
                     * @param message InitMessage message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.InitMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an InitMessage message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.InitMessage & moby.buildkit.v1.frontend.InitMessage.$Shape} InitMessage
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.InitMessage & moby.buildkit.v1.frontend.InitMessage.$Shape;
                }

                namespace InitMessage {

                    /** Properties of an InitMessage. */
                    interface $Properties {

                        /** InitMessage containerId */
                        containerId?: (string|null);

                        /** InitMessage meta */
                        meta?: (pb.Meta.$Properties|null);

                        /** InitMessage fds */
                        fds?: (number[]|null);

                        /** InitMessage tty */
                        tty?: (boolean|null);

                        /** InitMessage security */
                        security?: (pb.SecurityMode|null);

                        /** InitMessage secretenv */
                        secretenv?: (pb.SecretEnv.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an InitMessage. */
                    type $Shape = moby.buildkit.v1.frontend.InitMessage.$Properties;
                }

                /**
                 * Properties of an ExitMessage.
                 * @deprecated Use moby.buildkit.v1.frontend.ExitMessage.$Properties instead.
                 */
                interface IExitMessage extends moby.buildkit.v1.frontend.ExitMessage.$Properties {
                }

                /** Represents an ExitMessage. */
                class ExitMessage {

                    /**
                     * Constructs a new ExitMessage.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ExitMessage.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ExitMessage code. */
                    code: number;

                    /** ExitMessage error. */
                    error?: (google.rpc.Status.$Properties|null);

                    /**
                     * Encodes the specified ExitMessage message. Does not implicitly {@link moby.buildkit.v1.frontend.ExitMessage.verify|verify} messages.
                     * @param message ExitMessage message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ExitMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an ExitMessage message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ExitMessage & moby.buildkit.v1.frontend.ExitMessage.$Shape} ExitMessage
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ExitMessage & moby.buildkit.v1.frontend.ExitMessage.$Shape;
                }

                namespace ExitMessage {

                    /** Properties of an ExitMessage. */
                    interface $Properties {

                        /** ExitMessage code */
                        code?: (number|null);

                        /** ExitMessage error */
                        error?: (google.rpc.Status.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an ExitMessage. */
                    type $Shape = moby.buildkit.v1.frontend.ExitMessage.$Properties;
                }

                /**
                 * Properties of a StartedMessage.
                 * @deprecated Use moby.buildkit.v1.frontend.StartedMessage.$Properties instead.
                 */
                interface IStartedMessage extends moby.buildkit.v1.frontend.StartedMessage.$Properties {
                }

                /** Represents a StartedMessage. */
                class StartedMessage {

                    /**
                     * Constructs a new StartedMessage.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.StartedMessage.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /**
                     * Encodes the specified StartedMessage message. Does not implicitly {@link moby.buildkit.v1.frontend.StartedMessage.verify|verify} messages.
                     * @param message StartedMessage message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.StartedMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a StartedMessage message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.StartedMessage & moby.buildkit.v1.frontend.StartedMessage.$Shape} StartedMessage
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.StartedMessage & moby.buildkit.v1.frontend.StartedMessage.$Shape;
                }

                namespace StartedMessage {

                    /** Properties of a StartedMessage. */
                    interface $Properties {

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a StartedMessage. */
                    type $Shape = moby.buildkit.v1.frontend.StartedMessage.$Properties;
                }

                /**
                 * Properties of a DoneMessage.
                 * @deprecated Use moby.buildkit.v1.frontend.DoneMessage.$Properties instead.
                 */
                interface IDoneMessage extends moby.buildkit.v1.frontend.DoneMessage.$Properties {
                }

                /** Represents a DoneMessage. */
                class DoneMessage {

                    /**
                     * Constructs a new DoneMessage.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.DoneMessage.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /**
                     * Encodes the specified DoneMessage message. Does not implicitly {@link moby.buildkit.v1.frontend.DoneMessage.verify|verify} messages.
                     * @param message DoneMessage message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.DoneMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a DoneMessage message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.DoneMessage & moby.buildkit.v1.frontend.DoneMessage.$Shape} DoneMessage
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.DoneMessage & moby.buildkit.v1.frontend.DoneMessage.$Shape;
                }

                namespace DoneMessage {

                    /** Properties of a DoneMessage. */
                    interface $Properties {

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a DoneMessage. */
                    type $Shape = moby.buildkit.v1.frontend.DoneMessage.$Properties;
                }

                /**
                 * Properties of a FdMessage.
                 * @deprecated Use moby.buildkit.v1.frontend.FdMessage.$Properties instead.
                 */
                interface IFdMessage extends moby.buildkit.v1.frontend.FdMessage.$Properties {
                }

                /** Represents a FdMessage. */
                class FdMessage {

                    /**
                     * Constructs a new FdMessage.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.FdMessage.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** FdMessage fd. */
                    fd: number;

                    /** FdMessage eof. */
                    eof: boolean;

                    /** FdMessage data. */
                    data: Uint8Array;

                    /**
                     * Encodes the specified FdMessage message. Does not implicitly {@link moby.buildkit.v1.frontend.FdMessage.verify|verify} messages.
                     * @param message FdMessage message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.FdMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a FdMessage message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.FdMessage & moby.buildkit.v1.frontend.FdMessage.$Shape} FdMessage
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.FdMessage & moby.buildkit.v1.frontend.FdMessage.$Shape;
                }

                namespace FdMessage {

                    /** Properties of a FdMessage. */
                    interface $Properties {

                        /** FdMessage fd */
                        fd?: (number|null);

                        /** FdMessage eof */
                        eof?: (boolean|null);

                        /** FdMessage data */
                        data?: (Uint8Array|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a FdMessage. */
                    type $Shape = moby.buildkit.v1.frontend.FdMessage.$Properties;
                }

                /**
                 * Properties of a ResizeMessage.
                 * @deprecated Use moby.buildkit.v1.frontend.ResizeMessage.$Properties instead.
                 */
                interface IResizeMessage extends moby.buildkit.v1.frontend.ResizeMessage.$Properties {
                }

                /** Represents a ResizeMessage. */
                class ResizeMessage {

                    /**
                     * Constructs a new ResizeMessage.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.ResizeMessage.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ResizeMessage rows. */
                    rows: number;

                    /** ResizeMessage cols. */
                    cols: number;

                    /**
                     * Encodes the specified ResizeMessage message. Does not implicitly {@link moby.buildkit.v1.frontend.ResizeMessage.verify|verify} messages.
                     * @param message ResizeMessage message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.ResizeMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ResizeMessage message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.ResizeMessage & moby.buildkit.v1.frontend.ResizeMessage.$Shape} ResizeMessage
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.ResizeMessage & moby.buildkit.v1.frontend.ResizeMessage.$Shape;
                }

                namespace ResizeMessage {

                    /** Properties of a ResizeMessage. */
                    interface $Properties {

                        /** ResizeMessage rows */
                        rows?: (number|null);

                        /** ResizeMessage cols */
                        cols?: (number|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ResizeMessage. */
                    type $Shape = moby.buildkit.v1.frontend.ResizeMessage.$Properties;
                }

                /**
                 * Properties of a SignalMessage.
                 * @deprecated Use moby.buildkit.v1.frontend.SignalMessage.$Properties instead.
                 */
                interface ISignalMessage extends moby.buildkit.v1.frontend.SignalMessage.$Properties {
                }

                /** Represents a SignalMessage. */
                class SignalMessage {

                    /**
                     * Constructs a new SignalMessage.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.frontend.SignalMessage.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** SignalMessage name. */
                    name: string;

                    /**
                     * Encodes the specified SignalMessage message. Does not implicitly {@link moby.buildkit.v1.frontend.SignalMessage.verify|verify} messages.
                     * @param message SignalMessage message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.frontend.SignalMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a SignalMessage message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.frontend.SignalMessage & moby.buildkit.v1.frontend.SignalMessage.$Shape} SignalMessage
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.frontend.SignalMessage & moby.buildkit.v1.frontend.SignalMessage.$Shape;
                }

                namespace SignalMessage {

                    /** Properties of a SignalMessage. */
                    interface $Properties {

                        /** SignalMessage name */
                        name?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a SignalMessage. */
                    type $Shape = moby.buildkit.v1.frontend.SignalMessage.$Properties;
                }
            }

            /** Namespace apicaps. */
            namespace apicaps {

                /**
                 * Properties of a APICap.
                 * @deprecated Use moby.buildkit.v1.apicaps.APICap.$Properties instead.
                 */
                interface IAPICap extends moby.buildkit.v1.apicaps.APICap.$Properties {
                }

                /** Represents a APICap. */
                class APICap {

                    /**
                     * Constructs a new APICap.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.v1.apicaps.APICap.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** APICap id. */
                    id: string;

                    /** APICap enabled. */
                    enabled: boolean;

                    /** APICap deprecated. */
                    deprecated: boolean;

                    /** APICap disabledReason. */
                    disabledReason: string;

                    /** APICap disabledReasonMsg. */
                    disabledReasonMsg: string;

                    /** APICap disabledAlternative. */
                    disabledAlternative: string;

                    /**
                     * Encodes the specified APICap message. Does not implicitly {@link moby.buildkit.v1.apicaps.APICap.verify|verify} messages.
                     * @param message APICap message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.v1.apicaps.APICap.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a APICap message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.v1.apicaps.APICap & moby.buildkit.v1.apicaps.APICap.$Shape} APICap
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.v1.apicaps.APICap & moby.buildkit.v1.apicaps.APICap.$Shape;
                }

                namespace APICap {

                    /** Properties of a APICap. */
                    interface $Properties {

                        /** APICap id */
                        id?: (string|null);

                        /** APICap enabled */
                        enabled?: (boolean|null);

                        /** APICap deprecated */
                        deprecated?: (boolean|null);

                        /** APICap disabledReason */
                        disabledReason?: (string|null);

                        /** APICap disabledReasonMsg */
                        disabledReasonMsg?: (string|null);

                        /** APICap disabledAlternative */
                        disabledAlternative?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a APICap. */
                    type $Shape = moby.buildkit.v1.apicaps.APICap.$Properties;
                }
            }
        }

        /** Namespace secrets. */
        namespace secrets {

            /** Namespace v1. */
            namespace v1 {

                /**
                 * Properties of a GetSecretRequest.
                 * @deprecated Use moby.buildkit.secrets.v1.GetSecretRequest.$Properties instead.
                 */
                interface IGetSecretRequest extends moby.buildkit.secrets.v1.GetSecretRequest.$Properties {
                }

                /** Represents a GetSecretRequest. */
                class GetSecretRequest {

                    /**
                     * Constructs a new GetSecretRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.secrets.v1.GetSecretRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** GetSecretRequest id. */
                    id: string;

                    /** GetSecretRequest annotations. */
                    annotations: { [k: string]: string };

                    /**
                     * Encodes the specified GetSecretRequest message. Does not implicitly {@link moby.buildkit.secrets.v1.GetSecretRequest.verify|verify} messages.
                     * @param message GetSecretRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.secrets.v1.GetSecretRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a GetSecretRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.secrets.v1.GetSecretRequest & moby.buildkit.secrets.v1.GetSecretRequest.$Shape} GetSecretRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.secrets.v1.GetSecretRequest & moby.buildkit.secrets.v1.GetSecretRequest.$Shape;
                }

                namespace GetSecretRequest {

                    /** Properties of a GetSecretRequest. */
                    interface $Properties {

                        /** GetSecretRequest id */
                        id?: (string|null);

                        /** GetSecretRequest annotations */
                        annotations?: ({ [k: string]: string }|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a GetSecretRequest. */
                    type $Shape = moby.buildkit.secrets.v1.GetSecretRequest.$Properties;
                }

                /**
                 * Properties of a GetSecretResponse.
                 * @deprecated Use moby.buildkit.secrets.v1.GetSecretResponse.$Properties instead.
                 */
                interface IGetSecretResponse extends moby.buildkit.secrets.v1.GetSecretResponse.$Properties {
                }

                /** Represents a GetSecretResponse. */
                class GetSecretResponse {

                    /**
                     * Constructs a new GetSecretResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: moby.buildkit.secrets.v1.GetSecretResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** GetSecretResponse data. */
                    data: Uint8Array;

                    /**
                     * Encodes the specified GetSecretResponse message. Does not implicitly {@link moby.buildkit.secrets.v1.GetSecretResponse.verify|verify} messages.
                     * @param message GetSecretResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: moby.buildkit.secrets.v1.GetSecretResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a GetSecretResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {moby.buildkit.secrets.v1.GetSecretResponse & moby.buildkit.secrets.v1.GetSecretResponse.$Shape} GetSecretResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.buildkit.secrets.v1.GetSecretResponse & moby.buildkit.secrets.v1.GetSecretResponse.$Shape;
                }

                namespace GetSecretResponse {

                    /** Properties of a GetSecretResponse. */
                    interface $Properties {

                        /** GetSecretResponse data */
                        data?: (Uint8Array|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a GetSecretResponse. */
                    type $Shape = moby.buildkit.secrets.v1.GetSecretResponse.$Properties;
                }
            }
        }
    }

    /** Namespace filesync. */
    namespace filesync {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a BytesMessage.
             * @deprecated Use moby.filesync.v1.BytesMessage.$Properties instead.
             */
            interface IBytesMessage extends moby.filesync.v1.BytesMessage.$Properties {
            }

            /** Represents a BytesMessage. */
            class BytesMessage {

                /**
                 * Constructs a new BytesMessage.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.filesync.v1.BytesMessage.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BytesMessage data. */
                data: Uint8Array;

                /**
                 * Encodes the specified BytesMessage message. Does not implicitly {@link moby.filesync.v1.BytesMessage.verify|verify} messages.
                 * @param message BytesMessage message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.filesync.v1.BytesMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BytesMessage message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.filesync.v1.BytesMessage & moby.filesync.v1.BytesMessage.$Shape} BytesMessage
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.filesync.v1.BytesMessage & moby.filesync.v1.BytesMessage.$Shape;
            }

            namespace BytesMessage {

                /** Properties of a BytesMessage. */
                interface $Properties {

                    /** BytesMessage data */
                    data?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BytesMessage. */
                type $Shape = moby.filesync.v1.BytesMessage.$Properties;
            }

            /**
             * Properties of a CredentialsRequest.
             * @deprecated Use moby.filesync.v1.CredentialsRequest.$Properties instead.
             */
            interface ICredentialsRequest extends moby.filesync.v1.CredentialsRequest.$Properties {
            }

            /** Represents a CredentialsRequest. */
            class CredentialsRequest {

                /**
                 * Constructs a new CredentialsRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.filesync.v1.CredentialsRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CredentialsRequest host. */
                host: string;

                /**
                 * Encodes the specified CredentialsRequest message. Does not implicitly {@link moby.filesync.v1.CredentialsRequest.verify|verify} messages.
                 * @param message CredentialsRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.filesync.v1.CredentialsRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CredentialsRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.filesync.v1.CredentialsRequest & moby.filesync.v1.CredentialsRequest.$Shape} CredentialsRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.filesync.v1.CredentialsRequest & moby.filesync.v1.CredentialsRequest.$Shape;
            }

            namespace CredentialsRequest {

                /** Properties of a CredentialsRequest. */
                interface $Properties {

                    /** CredentialsRequest host */
                    host?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CredentialsRequest. */
                type $Shape = moby.filesync.v1.CredentialsRequest.$Properties;
            }

            /**
             * Properties of a CredentialsResponse.
             * @deprecated Use moby.filesync.v1.CredentialsResponse.$Properties instead.
             */
            interface ICredentialsResponse extends moby.filesync.v1.CredentialsResponse.$Properties {
            }

            /** Represents a CredentialsResponse. */
            class CredentialsResponse {

                /**
                 * Constructs a new CredentialsResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.filesync.v1.CredentialsResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CredentialsResponse username. */
                username: string;

                /** CredentialsResponse secret. */
                secret: string;

                /**
                 * Encodes the specified CredentialsResponse message. Does not implicitly {@link moby.filesync.v1.CredentialsResponse.verify|verify} messages.
                 * @param message CredentialsResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.filesync.v1.CredentialsResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CredentialsResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.filesync.v1.CredentialsResponse & moby.filesync.v1.CredentialsResponse.$Shape} CredentialsResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.filesync.v1.CredentialsResponse & moby.filesync.v1.CredentialsResponse.$Shape;
            }

            namespace CredentialsResponse {

                /** Properties of a CredentialsResponse. */
                interface $Properties {

                    /** CredentialsResponse username */
                    username?: (string|null);

                    /** CredentialsResponse secret */
                    secret?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CredentialsResponse. */
                type $Shape = moby.filesync.v1.CredentialsResponse.$Properties;
            }

            /**
             * Properties of a FetchTokenRequest.
             * @deprecated Use moby.filesync.v1.FetchTokenRequest.$Properties instead.
             */
            interface IFetchTokenRequest extends moby.filesync.v1.FetchTokenRequest.$Properties {
            }

            /** Represents a FetchTokenRequest. */
            class FetchTokenRequest {

                /**
                 * Constructs a new FetchTokenRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.filesync.v1.FetchTokenRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** FetchTokenRequest clientId. */
                clientId: string;

                /** FetchTokenRequest host. */
                host: string;

                /** FetchTokenRequest realm. */
                realm: string;

                /** FetchTokenRequest service. */
                service: string;

                /** FetchTokenRequest scopes. */
                scopes: string[];

                /**
                 * Encodes the specified FetchTokenRequest message. Does not implicitly {@link moby.filesync.v1.FetchTokenRequest.verify|verify} messages.
                 * @param message FetchTokenRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.filesync.v1.FetchTokenRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a FetchTokenRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.filesync.v1.FetchTokenRequest & moby.filesync.v1.FetchTokenRequest.$Shape} FetchTokenRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.filesync.v1.FetchTokenRequest & moby.filesync.v1.FetchTokenRequest.$Shape;
            }

            namespace FetchTokenRequest {

                /** Properties of a FetchTokenRequest. */
                interface $Properties {

                    /** FetchTokenRequest clientId */
                    clientId?: (string|null);

                    /** FetchTokenRequest host */
                    host?: (string|null);

                    /** FetchTokenRequest realm */
                    realm?: (string|null);

                    /** FetchTokenRequest service */
                    service?: (string|null);

                    /** FetchTokenRequest scopes */
                    scopes?: (string[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a FetchTokenRequest. */
                type $Shape = moby.filesync.v1.FetchTokenRequest.$Properties;
            }

            /**
             * Properties of a FetchTokenResponse.
             * @deprecated Use moby.filesync.v1.FetchTokenResponse.$Properties instead.
             */
            interface IFetchTokenResponse extends moby.filesync.v1.FetchTokenResponse.$Properties {
            }

            /** Represents a FetchTokenResponse. */
            class FetchTokenResponse {

                /**
                 * Constructs a new FetchTokenResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.filesync.v1.FetchTokenResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** FetchTokenResponse token. */
                token: string;

                /** FetchTokenResponse expiresIn. */
                expiresIn: (number|Long);

                /** FetchTokenResponse issuedAt. */
                issuedAt: (number|Long);

                /**
                 * Encodes the specified FetchTokenResponse message. Does not implicitly {@link moby.filesync.v1.FetchTokenResponse.verify|verify} messages.
                 * @param message FetchTokenResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.filesync.v1.FetchTokenResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a FetchTokenResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.filesync.v1.FetchTokenResponse & moby.filesync.v1.FetchTokenResponse.$Shape} FetchTokenResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.filesync.v1.FetchTokenResponse & moby.filesync.v1.FetchTokenResponse.$Shape;
            }

            namespace FetchTokenResponse {

                /** Properties of a FetchTokenResponse. */
                interface $Properties {

                    /** FetchTokenResponse token */
                    token?: (string|null);

                    /** FetchTokenResponse expiresIn */
                    expiresIn?: (number|Long|null);

                    /** FetchTokenResponse issuedAt */
                    issuedAt?: (number|Long|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a FetchTokenResponse. */
                type $Shape = moby.filesync.v1.FetchTokenResponse.$Properties;
            }

            /**
             * Properties of a GetTokenAuthorityRequest.
             * @deprecated Use moby.filesync.v1.GetTokenAuthorityRequest.$Properties instead.
             */
            interface IGetTokenAuthorityRequest extends moby.filesync.v1.GetTokenAuthorityRequest.$Properties {
            }

            /** Represents a GetTokenAuthorityRequest. */
            class GetTokenAuthorityRequest {

                /**
                 * Constructs a new GetTokenAuthorityRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.filesync.v1.GetTokenAuthorityRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** GetTokenAuthorityRequest host. */
                host: string;

                /** GetTokenAuthorityRequest salt. */
                salt: Uint8Array;

                /**
                 * Encodes the specified GetTokenAuthorityRequest message. Does not implicitly {@link moby.filesync.v1.GetTokenAuthorityRequest.verify|verify} messages.
                 * @param message GetTokenAuthorityRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.filesync.v1.GetTokenAuthorityRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a GetTokenAuthorityRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.filesync.v1.GetTokenAuthorityRequest & moby.filesync.v1.GetTokenAuthorityRequest.$Shape} GetTokenAuthorityRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.filesync.v1.GetTokenAuthorityRequest & moby.filesync.v1.GetTokenAuthorityRequest.$Shape;
            }

            namespace GetTokenAuthorityRequest {

                /** Properties of a GetTokenAuthorityRequest. */
                interface $Properties {

                    /** GetTokenAuthorityRequest host */
                    host?: (string|null);

                    /** GetTokenAuthorityRequest salt */
                    salt?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a GetTokenAuthorityRequest. */
                type $Shape = moby.filesync.v1.GetTokenAuthorityRequest.$Properties;
            }

            /**
             * Properties of a GetTokenAuthorityResponse.
             * @deprecated Use moby.filesync.v1.GetTokenAuthorityResponse.$Properties instead.
             */
            interface IGetTokenAuthorityResponse extends moby.filesync.v1.GetTokenAuthorityResponse.$Properties {
            }

            /** Represents a GetTokenAuthorityResponse. */
            class GetTokenAuthorityResponse {

                /**
                 * Constructs a new GetTokenAuthorityResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.filesync.v1.GetTokenAuthorityResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** GetTokenAuthorityResponse publicKey. */
                publicKey: Uint8Array;

                /**
                 * Encodes the specified GetTokenAuthorityResponse message. Does not implicitly {@link moby.filesync.v1.GetTokenAuthorityResponse.verify|verify} messages.
                 * @param message GetTokenAuthorityResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.filesync.v1.GetTokenAuthorityResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a GetTokenAuthorityResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.filesync.v1.GetTokenAuthorityResponse & moby.filesync.v1.GetTokenAuthorityResponse.$Shape} GetTokenAuthorityResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.filesync.v1.GetTokenAuthorityResponse & moby.filesync.v1.GetTokenAuthorityResponse.$Shape;
            }

            namespace GetTokenAuthorityResponse {

                /** Properties of a GetTokenAuthorityResponse. */
                interface $Properties {

                    /** GetTokenAuthorityResponse publicKey */
                    publicKey?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a GetTokenAuthorityResponse. */
                type $Shape = moby.filesync.v1.GetTokenAuthorityResponse.$Properties;
            }

            /**
             * Properties of a VerifyTokenAuthorityRequest.
             * @deprecated Use moby.filesync.v1.VerifyTokenAuthorityRequest.$Properties instead.
             */
            interface IVerifyTokenAuthorityRequest extends moby.filesync.v1.VerifyTokenAuthorityRequest.$Properties {
            }

            /** Represents a VerifyTokenAuthorityRequest. */
            class VerifyTokenAuthorityRequest {

                /**
                 * Constructs a new VerifyTokenAuthorityRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.filesync.v1.VerifyTokenAuthorityRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** VerifyTokenAuthorityRequest host. */
                host: string;

                /** VerifyTokenAuthorityRequest payload. */
                payload: Uint8Array;

                /** VerifyTokenAuthorityRequest salt. */
                salt: Uint8Array;

                /**
                 * Encodes the specified VerifyTokenAuthorityRequest message. Does not implicitly {@link moby.filesync.v1.VerifyTokenAuthorityRequest.verify|verify} messages.
                 * @param message VerifyTokenAuthorityRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.filesync.v1.VerifyTokenAuthorityRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a VerifyTokenAuthorityRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.filesync.v1.VerifyTokenAuthorityRequest & moby.filesync.v1.VerifyTokenAuthorityRequest.$Shape} VerifyTokenAuthorityRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.filesync.v1.VerifyTokenAuthorityRequest & moby.filesync.v1.VerifyTokenAuthorityRequest.$Shape;
            }

            namespace VerifyTokenAuthorityRequest {

                /** Properties of a VerifyTokenAuthorityRequest. */
                interface $Properties {

                    /** VerifyTokenAuthorityRequest host */
                    host?: (string|null);

                    /** VerifyTokenAuthorityRequest payload */
                    payload?: (Uint8Array|null);

                    /** VerifyTokenAuthorityRequest salt */
                    salt?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a VerifyTokenAuthorityRequest. */
                type $Shape = moby.filesync.v1.VerifyTokenAuthorityRequest.$Properties;
            }

            /**
             * Properties of a VerifyTokenAuthorityResponse.
             * @deprecated Use moby.filesync.v1.VerifyTokenAuthorityResponse.$Properties instead.
             */
            interface IVerifyTokenAuthorityResponse extends moby.filesync.v1.VerifyTokenAuthorityResponse.$Properties {
            }

            /** Represents a VerifyTokenAuthorityResponse. */
            class VerifyTokenAuthorityResponse {

                /**
                 * Constructs a new VerifyTokenAuthorityResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.filesync.v1.VerifyTokenAuthorityResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** VerifyTokenAuthorityResponse signed. */
                signed: Uint8Array;

                /**
                 * Encodes the specified VerifyTokenAuthorityResponse message. Does not implicitly {@link moby.filesync.v1.VerifyTokenAuthorityResponse.verify|verify} messages.
                 * @param message VerifyTokenAuthorityResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.filesync.v1.VerifyTokenAuthorityResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a VerifyTokenAuthorityResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.filesync.v1.VerifyTokenAuthorityResponse & moby.filesync.v1.VerifyTokenAuthorityResponse.$Shape} VerifyTokenAuthorityResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.filesync.v1.VerifyTokenAuthorityResponse & moby.filesync.v1.VerifyTokenAuthorityResponse.$Shape;
            }

            namespace VerifyTokenAuthorityResponse {

                /** Properties of a VerifyTokenAuthorityResponse. */
                interface $Properties {

                    /** VerifyTokenAuthorityResponse signed */
                    signed?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a VerifyTokenAuthorityResponse. */
                type $Shape = moby.filesync.v1.VerifyTokenAuthorityResponse.$Properties;
            }
        }
    }

    /** Namespace sshforward. */
    namespace sshforward {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a BytesMessage.
             * @deprecated Use moby.sshforward.v1.BytesMessage.$Properties instead.
             */
            interface IBytesMessage extends moby.sshforward.v1.BytesMessage.$Properties {
            }

            /** Represents a BytesMessage. */
            class BytesMessage {

                /**
                 * Constructs a new BytesMessage.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.sshforward.v1.BytesMessage.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BytesMessage data. */
                data: Uint8Array;

                /**
                 * Encodes the specified BytesMessage message. Does not implicitly {@link moby.sshforward.v1.BytesMessage.verify|verify} messages.
                 * @param message BytesMessage message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.sshforward.v1.BytesMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BytesMessage message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.sshforward.v1.BytesMessage & moby.sshforward.v1.BytesMessage.$Shape} BytesMessage
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.sshforward.v1.BytesMessage & moby.sshforward.v1.BytesMessage.$Shape;
            }

            namespace BytesMessage {

                /** Properties of a BytesMessage. */
                interface $Properties {

                    /** BytesMessage data */
                    data?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BytesMessage. */
                type $Shape = moby.sshforward.v1.BytesMessage.$Properties;
            }

            /**
             * Properties of a CheckAgentRequest.
             * @deprecated Use moby.sshforward.v1.CheckAgentRequest.$Properties instead.
             */
            interface ICheckAgentRequest extends moby.sshforward.v1.CheckAgentRequest.$Properties {
            }

            /** Represents a CheckAgentRequest. */
            class CheckAgentRequest {

                /**
                 * Constructs a new CheckAgentRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.sshforward.v1.CheckAgentRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CheckAgentRequest id. */
                id: string;

                /**
                 * Encodes the specified CheckAgentRequest message. Does not implicitly {@link moby.sshforward.v1.CheckAgentRequest.verify|verify} messages.
                 * @param message CheckAgentRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.sshforward.v1.CheckAgentRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CheckAgentRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.sshforward.v1.CheckAgentRequest & moby.sshforward.v1.CheckAgentRequest.$Shape} CheckAgentRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.sshforward.v1.CheckAgentRequest & moby.sshforward.v1.CheckAgentRequest.$Shape;
            }

            namespace CheckAgentRequest {

                /** Properties of a CheckAgentRequest. */
                interface $Properties {

                    /** CheckAgentRequest id */
                    id?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CheckAgentRequest. */
                type $Shape = moby.sshforward.v1.CheckAgentRequest.$Properties;
            }

            /**
             * Properties of a CheckAgentResponse.
             * @deprecated Use moby.sshforward.v1.CheckAgentResponse.$Properties instead.
             */
            interface ICheckAgentResponse extends moby.sshforward.v1.CheckAgentResponse.$Properties {
            }

            /** Represents a CheckAgentResponse. */
            class CheckAgentResponse {

                /**
                 * Constructs a new CheckAgentResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.sshforward.v1.CheckAgentResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /**
                 * Encodes the specified CheckAgentResponse message. Does not implicitly {@link moby.sshforward.v1.CheckAgentResponse.verify|verify} messages.
                 * @param message CheckAgentResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.sshforward.v1.CheckAgentResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CheckAgentResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.sshforward.v1.CheckAgentResponse & moby.sshforward.v1.CheckAgentResponse.$Shape} CheckAgentResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.sshforward.v1.CheckAgentResponse & moby.sshforward.v1.CheckAgentResponse.$Shape;
            }

            namespace CheckAgentResponse {

                /** Properties of a CheckAgentResponse. */
                interface $Properties {

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CheckAgentResponse. */
                type $Shape = moby.sshforward.v1.CheckAgentResponse.$Properties;
            }
        }
    }

    /** Namespace upload. */
    namespace upload {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a BytesMessage.
             * @deprecated Use moby.upload.v1.BytesMessage.$Properties instead.
             */
            interface IBytesMessage extends moby.upload.v1.BytesMessage.$Properties {
            }

            /** Represents a BytesMessage. */
            class BytesMessage {

                /**
                 * Constructs a new BytesMessage.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.upload.v1.BytesMessage.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BytesMessage data. */
                data: Uint8Array;

                /**
                 * Encodes the specified BytesMessage message. Does not implicitly {@link moby.upload.v1.BytesMessage.verify|verify} messages.
                 * @param message BytesMessage message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.upload.v1.BytesMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BytesMessage message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.upload.v1.BytesMessage & moby.upload.v1.BytesMessage.$Shape} BytesMessage
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.upload.v1.BytesMessage & moby.upload.v1.BytesMessage.$Shape;
            }

            namespace BytesMessage {

                /** Properties of a BytesMessage. */
                interface $Properties {

                    /** BytesMessage data */
                    data?: (Uint8Array|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BytesMessage. */
                type $Shape = moby.upload.v1.BytesMessage.$Properties;
            }
        }
    }

    /** Namespace exporter. */
    namespace exporter {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a FindExportersRequest.
             * @deprecated Use moby.exporter.v1.FindExportersRequest.$Properties instead.
             */
            interface IFindExportersRequest extends moby.exporter.v1.FindExportersRequest.$Properties {
            }

            /** Represents a FindExportersRequest. */
            class FindExportersRequest {

                /**
                 * Constructs a new FindExportersRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.exporter.v1.FindExportersRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** FindExportersRequest metadata. */
                metadata: { [k: string]: Uint8Array };

                /** FindExportersRequest refs. */
                refs: string[];

                /**
                 * Encodes the specified FindExportersRequest message. Does not implicitly {@link moby.exporter.v1.FindExportersRequest.verify|verify} messages.
                 * @param message FindExportersRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.exporter.v1.FindExportersRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a FindExportersRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.exporter.v1.FindExportersRequest & moby.exporter.v1.FindExportersRequest.$Shape} FindExportersRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.exporter.v1.FindExportersRequest & moby.exporter.v1.FindExportersRequest.$Shape;
            }

            namespace FindExportersRequest {

                /** Properties of a FindExportersRequest. */
                interface $Properties {

                    /** FindExportersRequest metadata */
                    metadata?: ({ [k: string]: Uint8Array }|null);

                    /** FindExportersRequest refs */
                    refs?: (string[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a FindExportersRequest. */
                type $Shape = moby.exporter.v1.FindExportersRequest.$Properties;
            }

            /**
             * Properties of a FindExportersResponse.
             * @deprecated Use moby.exporter.v1.FindExportersResponse.$Properties instead.
             */
            interface IFindExportersResponse extends moby.exporter.v1.FindExportersResponse.$Properties {
            }

            /** Represents a FindExportersResponse. */
            class FindExportersResponse {

                /**
                 * Constructs a new FindExportersResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.exporter.v1.FindExportersResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** FindExportersResponse exporters. */
                exporters: moby.exporter.v1.ExporterRequest.$Properties[];

                /**
                 * Encodes the specified FindExportersResponse message. Does not implicitly {@link moby.exporter.v1.FindExportersResponse.verify|verify} messages.
                 * @param message FindExportersResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.exporter.v1.FindExportersResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a FindExportersResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.exporter.v1.FindExportersResponse & moby.exporter.v1.FindExportersResponse.$Shape} FindExportersResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.exporter.v1.FindExportersResponse & moby.exporter.v1.FindExportersResponse.$Shape;
            }

            namespace FindExportersResponse {

                /** Properties of a FindExportersResponse. */
                interface $Properties {

                    /** FindExportersResponse exporters */
                    exporters?: (moby.exporter.v1.ExporterRequest.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a FindExportersResponse. */
                type $Shape = moby.exporter.v1.FindExportersResponse.$Properties;
            }

            /**
             * Properties of an ExporterRequest.
             * @deprecated Use moby.exporter.v1.ExporterRequest.$Properties instead.
             */
            interface IExporterRequest extends moby.exporter.v1.ExporterRequest.$Properties {
            }

            /** Represents an ExporterRequest. */
            class ExporterRequest {

                /**
                 * Constructs a new ExporterRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.exporter.v1.ExporterRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** ExporterRequest type. */
                type: string;

                /** ExporterRequest attrs. */
                attrs: { [k: string]: string };

                /**
                 * Encodes the specified ExporterRequest message. Does not implicitly {@link moby.exporter.v1.ExporterRequest.verify|verify} messages.
                 * @param message ExporterRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.exporter.v1.ExporterRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an ExporterRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.exporter.v1.ExporterRequest & moby.exporter.v1.ExporterRequest.$Shape} ExporterRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.exporter.v1.ExporterRequest & moby.exporter.v1.ExporterRequest.$Shape;
            }

            namespace ExporterRequest {

                /** Properties of an ExporterRequest. */
                interface $Properties {

                    /** ExporterRequest type */
                    type?: (string|null);

                    /** ExporterRequest attrs */
                    attrs?: ({ [k: string]: string }|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an ExporterRequest. */
                type $Shape = moby.exporter.v1.ExporterRequest.$Properties;
            }

            /**
             * Properties of a FinalizeExportRequest.
             * @deprecated Use moby.exporter.v1.FinalizeExportRequest.$Properties instead.
             */
            interface IFinalizeExportRequest extends moby.exporter.v1.FinalizeExportRequest.$Properties {
            }

            /** Represents a FinalizeExportRequest. */
            class FinalizeExportRequest {

                /**
                 * Constructs a new FinalizeExportRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.exporter.v1.FinalizeExportRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** FinalizeExportRequest exporterResponse. */
                exporterResponse: { [k: string]: string };

                /**
                 * Encodes the specified FinalizeExportRequest message. Does not implicitly {@link moby.exporter.v1.FinalizeExportRequest.verify|verify} messages.
                 * @param message FinalizeExportRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.exporter.v1.FinalizeExportRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a FinalizeExportRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.exporter.v1.FinalizeExportRequest & moby.exporter.v1.FinalizeExportRequest.$Shape} FinalizeExportRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.exporter.v1.FinalizeExportRequest & moby.exporter.v1.FinalizeExportRequest.$Shape;
            }

            namespace FinalizeExportRequest {

                /** Properties of a FinalizeExportRequest. */
                interface $Properties {

                    /** FinalizeExportRequest exporterResponse */
                    exporterResponse?: ({ [k: string]: string }|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a FinalizeExportRequest. */
                type $Shape = moby.exporter.v1.FinalizeExportRequest.$Properties;
            }

            /**
             * Properties of a FinalizeExportResponse.
             * @deprecated Use moby.exporter.v1.FinalizeExportResponse.$Properties instead.
             */
            interface IFinalizeExportResponse extends moby.exporter.v1.FinalizeExportResponse.$Properties {
            }

            /** Represents a FinalizeExportResponse. */
            class FinalizeExportResponse {

                /**
                 * Constructs a new FinalizeExportResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: moby.exporter.v1.FinalizeExportResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /**
                 * Encodes the specified FinalizeExportResponse message. Does not implicitly {@link moby.exporter.v1.FinalizeExportResponse.verify|verify} messages.
                 * @param message FinalizeExportResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: moby.exporter.v1.FinalizeExportResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a FinalizeExportResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {moby.exporter.v1.FinalizeExportResponse & moby.exporter.v1.FinalizeExportResponse.$Shape} FinalizeExportResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): moby.exporter.v1.FinalizeExportResponse & moby.exporter.v1.FinalizeExportResponse.$Shape;
            }

            namespace FinalizeExportResponse {

                /** Properties of a FinalizeExportResponse. */
                interface $Properties {

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a FinalizeExportResponse. */
                type $Shape = moby.exporter.v1.FinalizeExportResponse.$Properties;
            }
        }
    }
}

/** Namespace pb. */
export namespace pb {

    /**
     * Properties of an Op.
     * @deprecated Use pb.Op.$Properties instead.
     */
    interface IOp extends pb.Op.$Properties {
    }

    /** Represents an Op. */
    class Op {

        /**
         * Constructs a new Op.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Op.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Op inputs. */
        inputs: pb.Input.$Properties[];

        /** Op exec. */
        exec?: (pb.ExecOp.$Properties|null);

        /** Op source. */
        source?: (pb.SourceOp.$Properties|null);

        /** Op file. */
        file?: (pb.FileOp.$Properties|null);

        /** Op build. */
        build?: (pb.BuildOp.$Properties|null);

        /** Op merge. */
        merge?: (pb.MergeOp.$Properties|null);

        /** Op diff. */
        diff?: (pb.DiffOp.$Properties|null);

        /** Op passthrough. */
        passthrough?: (pb.PassthroughOp.$Properties|null);

        /** Op platform. */
        platform?: (pb.Platform.$Properties|null);

        /** Op constraints. */
        constraints?: (pb.WorkerConstraints.$Properties|null);

        /** Op op. */
        op?: ("exec"|"source"|"file"|"build"|"merge"|"diff"|"passthrough");

        /**
         * Encodes the specified Op message. Does not implicitly {@link pb.Op.verify|verify} messages.
         * @param message Op message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Op.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes an Op message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Op & pb.Op.$Shape} Op
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Op & pb.Op.$Shape;
    }

    namespace Op {

        /** Properties of an Op. */
        interface $Properties {

            /** Op inputs */
            inputs?: (pb.Input.$Properties[]|null);

            /** Op exec */
            exec?: (pb.ExecOp.$Properties|null);

            /** Op source */
            source?: (pb.SourceOp.$Properties|null);

            /** Op file */
            file?: (pb.FileOp.$Properties|null);

            /** Op build */
            build?: (pb.BuildOp.$Properties|null);

            /** Op merge */
            merge?: (pb.MergeOp.$Properties|null);

            /** Op diff */
            diff?: (pb.DiffOp.$Properties|null);

            /** Op passthrough */
            passthrough?: (pb.PassthroughOp.$Properties|null);

            /** Op platform */
            platform?: (pb.Platform.$Properties|null);

            /** Op constraints */
            constraints?: (pb.WorkerConstraints.$Properties|null);

            /** Op op */
            op?: ("exec"|"source"|"file"|"build"|"merge"|"diff"|"passthrough");

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Narrowed shape of an Op. */
        type $Shape = {
          inputs?: pb.Input.$Shape[]|null;
          exec?: pb.ExecOp.$Shape|null;
          source?: pb.SourceOp.$Shape|null;
          file?: pb.FileOp.$Shape|null;
          build?: pb.BuildOp.$Shape|null;
          merge?: pb.MergeOp.$Shape|null;
          diff?: pb.DiffOp.$Shape|null;
          passthrough?: pb.PassthroughOp.$Shape|null;
          platform?: pb.Platform.$Shape|null;
          constraints?: pb.WorkerConstraints.$Shape|null;
          $unknowns?: Uint8Array[];
        } & (
          ({ op?: undefined; exec?: null; source?: null; file?: null; build?: null; merge?: null; diff?: null; passthrough?: null }|{ op?: "exec"; exec: pb.ExecOp.$Shape; source?: null; file?: null; build?: null; merge?: null; diff?: null; passthrough?: null }|{ op?: "source"; exec?: null; source: pb.SourceOp.$Shape; file?: null; build?: null; merge?: null; diff?: null; passthrough?: null }|{ op?: "file"; exec?: null; source?: null; file: pb.FileOp.$Shape; build?: null; merge?: null; diff?: null; passthrough?: null }|{ op?: "build"; exec?: null; source?: null; file?: null; build: pb.BuildOp.$Shape; merge?: null; diff?: null; passthrough?: null }|{ op?: "merge"; exec?: null; source?: null; file?: null; build?: null; merge: pb.MergeOp.$Shape; diff?: null; passthrough?: null }|{ op?: "diff"; exec?: null; source?: null; file?: null; build?: null; merge?: null; diff: pb.DiffOp.$Shape; passthrough?: null }|{ op?: "passthrough"; exec?: null; source?: null; file?: null; build?: null; merge?: null; diff?: null; passthrough: pb.PassthroughOp.$Shape })
        );
    }

    /**
     * Properties of a Platform.
     * @deprecated Use pb.Platform.$Properties instead.
     */
    interface IPlatform extends pb.Platform.$Properties {
    }

    /** Represents a Platform. */
    class Platform {

        /**
         * Constructs a new Platform.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Platform.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Platform architecture. */
        architecture: string;

        /** Platform os. */
        os: string;

        /** Platform variant. */
        variant: string;

        /** Platform osVersion. */
        osVersion: string;

        /** Platform osFeatures. */
        osFeatures: string[];

        /**
         * Encodes the specified Platform message. Does not implicitly {@link pb.Platform.verify|verify} messages.
         * @param message Platform message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Platform.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a Platform message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Platform & pb.Platform.$Shape} Platform
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Platform & pb.Platform.$Shape;
    }

    namespace Platform {

        /** Properties of a Platform. */
        interface $Properties {

            /** Platform architecture */
            architecture?: (string|null);

            /** Platform os */
            os?: (string|null);

            /** Platform variant */
            variant?: (string|null);

            /** Platform osVersion */
            osVersion?: (string|null);

            /** Platform osFeatures */
            osFeatures?: (string[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a Platform. */
        type $Shape = pb.Platform.$Properties;
    }

    /**
     * Properties of an Input.
     * @deprecated Use pb.Input.$Properties instead.
     */
    interface IInput extends pb.Input.$Properties {
    }

    /** Represents an Input. */
    class Input {

        /**
         * Constructs a new Input.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Input.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Input digest. */
        digest: string;

        /** Input index. */
        index: (number|Long);

        /**
         * Encodes the specified Input message. Does not implicitly {@link pb.Input.verify|verify} messages.
         * @param message Input message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Input.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes an Input message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Input & pb.Input.$Shape} Input
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Input & pb.Input.$Shape;
    }

    namespace Input {

        /** Properties of an Input. */
        interface $Properties {

            /** Input digest */
            digest?: (string|null);

            /** Input index */
            index?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of an Input. */
        type $Shape = pb.Input.$Properties;
    }

    /**
     * Properties of an ExecOp.
     * @deprecated Use pb.ExecOp.$Properties instead.
     */
    interface IExecOp extends pb.ExecOp.$Properties {
    }

    /** Represents an ExecOp. */
    class ExecOp {

        /**
         * Constructs a new ExecOp.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.ExecOp.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** ExecOp meta. */
        meta?: (pb.Meta.$Properties|null);

        /** ExecOp mounts. */
        mounts: pb.Mount.$Properties[];

        /** ExecOp network. */
        network: pb.NetMode;

        /** ExecOp security. */
        security: pb.SecurityMode;

        /** ExecOp secretenv. */
        secretenv: pb.SecretEnv.$Properties[];

        /** ExecOp cdiDevices. */
        cdiDevices: pb.CDIDevice.$Properties[];

        /**
         * Encodes the specified ExecOp message. Does not implicitly {@link pb.ExecOp.verify|verify} messages.
         * @param message ExecOp message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.ExecOp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes an ExecOp message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.ExecOp & pb.ExecOp.$Shape} ExecOp
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.ExecOp & pb.ExecOp.$Shape;
    }

    namespace ExecOp {

        /** Properties of an ExecOp. */
        interface $Properties {

            /** ExecOp meta */
            meta?: (pb.Meta.$Properties|null);

            /** ExecOp mounts */
            mounts?: (pb.Mount.$Properties[]|null);

            /** ExecOp network */
            network?: (pb.NetMode|null);

            /** ExecOp security */
            security?: (pb.SecurityMode|null);

            /** ExecOp secretenv */
            secretenv?: (pb.SecretEnv.$Properties[]|null);

            /** ExecOp cdiDevices */
            cdiDevices?: (pb.CDIDevice.$Properties[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of an ExecOp. */
        type $Shape = pb.ExecOp.$Properties;
    }

    /**
     * Properties of a Meta.
     * @deprecated Use pb.Meta.$Properties instead.
     */
    interface IMeta extends pb.Meta.$Properties {
    }

    /** Represents a Meta. */
    class Meta {

        /**
         * Constructs a new Meta.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Meta.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Meta args. */
        args: string[];

        /** Meta env. */
        env: string[];

        /** Meta cwd. */
        cwd: string;

        /** Meta user. */
        user: string;

        /** Meta proxyEnv. */
        proxyEnv?: (pb.ProxyEnv.$Properties|null);

        /** Meta extraHosts. */
        extraHosts: pb.HostIP.$Properties[];

        /** Meta hostname. */
        hostname: string;

        /** Meta ulimit. */
        ulimit: pb.Ulimit.$Properties[];

        /** Meta cgroupParent. */
        cgroupParent: string;

        /** Meta removeMountStubsRecursive. */
        removeMountStubsRecursive: boolean;

        /** Meta validExitCodes. */
        validExitCodes: number[];

        /**
         * Encodes the specified Meta message. Does not implicitly {@link pb.Meta.verify|verify} messages.
         * @param message Meta message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Meta.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a Meta message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Meta & pb.Meta.$Shape} Meta
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Meta & pb.Meta.$Shape;
    }

    namespace Meta {

        /** Properties of a Meta. */
        interface $Properties {

            /** Meta args */
            args?: (string[]|null);

            /** Meta env */
            env?: (string[]|null);

            /** Meta cwd */
            cwd?: (string|null);

            /** Meta user */
            user?: (string|null);

            /** Meta proxyEnv */
            proxyEnv?: (pb.ProxyEnv.$Properties|null);

            /** Meta extraHosts */
            extraHosts?: (pb.HostIP.$Properties[]|null);

            /** Meta hostname */
            hostname?: (string|null);

            /** Meta ulimit */
            ulimit?: (pb.Ulimit.$Properties[]|null);

            /** Meta cgroupParent */
            cgroupParent?: (string|null);

            /** Meta removeMountStubsRecursive */
            removeMountStubsRecursive?: (boolean|null);

            /** Meta validExitCodes */
            validExitCodes?: (number[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a Meta. */
        type $Shape = pb.Meta.$Properties;
    }

    /**
     * Properties of a HostIP.
     * @deprecated Use pb.HostIP.$Properties instead.
     */
    interface IHostIP extends pb.HostIP.$Properties {
    }

    /** Represents a HostIP. */
    class HostIP {

        /**
         * Constructs a new HostIP.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.HostIP.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** HostIP host. */
        host: string;

        /** HostIP ip. */
        ip: string;

        /**
         * Encodes the specified HostIP message. Does not implicitly {@link pb.HostIP.verify|verify} messages.
         * @param message HostIP message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.HostIP.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a HostIP message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.HostIP & pb.HostIP.$Shape} HostIP
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.HostIP & pb.HostIP.$Shape;
    }

    namespace HostIP {

        /** Properties of a HostIP. */
        interface $Properties {

            /** HostIP host */
            host?: (string|null);

            /** HostIP ip */
            ip?: (string|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a HostIP. */
        type $Shape = pb.HostIP.$Properties;
    }

    /**
     * Properties of an Ulimit.
     * @deprecated Use pb.Ulimit.$Properties instead.
     */
    interface IUlimit extends pb.Ulimit.$Properties {
    }

    /** Represents an Ulimit. */
    class Ulimit {

        /**
         * Constructs a new Ulimit.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Ulimit.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Ulimit name. */
        name: string;

        /** Ulimit soft. */
        soft: (number|Long);

        /** Ulimit hard. */
        hard: (number|Long);

        /**
         * Encodes the specified Ulimit message. Does not implicitly {@link pb.Ulimit.verify|verify} messages.
         * @param message Ulimit message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Ulimit.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes an Ulimit message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Ulimit & pb.Ulimit.$Shape} Ulimit
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Ulimit & pb.Ulimit.$Shape;
    }

    namespace Ulimit {

        /** Properties of an Ulimit. */
        interface $Properties {

            /** Ulimit name */
            name?: (string|null);

            /** Ulimit soft */
            soft?: (number|Long|null);

            /** Ulimit hard */
            hard?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of an Ulimit. */
        type $Shape = pb.Ulimit.$Properties;
    }

    /** NetMode enum. */
    enum NetMode {

        /** NET_MODE_UNSET value */
        NET_MODE_UNSET = 0,

        /** NET_MODE_HOST value */
        NET_MODE_HOST = 1,

        /** NET_MODE_NONE value */
        NET_MODE_NONE = 2
    }

    /** SecurityMode enum. */
    enum SecurityMode {

        /** SECURITY_MODE_SANDBOX value */
        SECURITY_MODE_SANDBOX = 0,

        /** SECURITY_MODE_INSECURE value */
        SECURITY_MODE_INSECURE = 1
    }

    /**
     * Properties of a SecretEnv.
     * @deprecated Use pb.SecretEnv.$Properties instead.
     */
    interface ISecretEnv extends pb.SecretEnv.$Properties {
    }

    /** Represents a SecretEnv. */
    class SecretEnv {

        /**
         * Constructs a new SecretEnv.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.SecretEnv.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** SecretEnv id. */
        id: string;

        /** SecretEnv name. */
        name: string;

        /** SecretEnv optional. */
        optional: boolean;

        /**
         * Encodes the specified SecretEnv message. Does not implicitly {@link pb.SecretEnv.verify|verify} messages.
         * @param message SecretEnv message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.SecretEnv.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a SecretEnv message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.SecretEnv & pb.SecretEnv.$Shape} SecretEnv
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.SecretEnv & pb.SecretEnv.$Shape;
    }

    namespace SecretEnv {

        /** Properties of a SecretEnv. */
        interface $Properties {

            /** SecretEnv id */
            id?: (string|null);

            /** SecretEnv name */
            name?: (string|null);

            /** SecretEnv optional */
            optional?: (boolean|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a SecretEnv. */
        type $Shape = pb.SecretEnv.$Properties;
    }

    /**
     * Properties of a CDIDevice.
     * @deprecated Use pb.CDIDevice.$Properties instead.
     */
    interface ICDIDevice extends pb.CDIDevice.$Properties {
    }

    /** Represents a CDIDevice. */
    class CDIDevice {

        /**
         * Constructs a new CDIDevice.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.CDIDevice.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** CDIDevice name. */
        name: string;

        /** CDIDevice optional. */
        optional: boolean;

        /**
         * Encodes the specified CDIDevice message. Does not implicitly {@link pb.CDIDevice.verify|verify} messages.
         * @param message CDIDevice message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.CDIDevice.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a CDIDevice message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.CDIDevice & pb.CDIDevice.$Shape} CDIDevice
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.CDIDevice & pb.CDIDevice.$Shape;
    }

    namespace CDIDevice {

        /** Properties of a CDIDevice. */
        interface $Properties {

            /** CDIDevice name */
            name?: (string|null);

            /** CDIDevice optional */
            optional?: (boolean|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a CDIDevice. */
        type $Shape = pb.CDIDevice.$Properties;
    }

    /**
     * Properties of a Mount.
     * @deprecated Use pb.Mount.$Properties instead.
     */
    interface IMount extends pb.Mount.$Properties {
    }

    /** Represents a Mount. */
    class Mount {

        /**
         * Constructs a new Mount.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Mount.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Mount input. */
        input: (number|Long);

        /** Mount selector. */
        selector: string;

        /** Mount dest. */
        dest: string;

        /** Mount output. */
        output: (number|Long);

        /** Mount readonly. */
        readonly: boolean;

        /** Mount mountType. */
        mountType: pb.MountType;

        /** Mount tmpfsOpt. */
        tmpfsOpt?: (pb.TmpfsOpt.$Properties|null);

        /** Mount cacheOpt. */
        cacheOpt?: (pb.CacheOpt.$Properties|null);

        /** Mount secretOpt. */
        secretOpt?: (pb.SecretOpt.$Properties|null);

        /** Mount sshOpt. */
        sshOpt?: (pb.SSHOpt.$Properties|null);

        /** Mount resultId. */
        resultId: string;

        /** Mount contentCache. */
        contentCache: pb.MountContentCache;

        /**
         * Encodes the specified Mount message. Does not implicitly {@link pb.Mount.verify|verify} messages.
         * @param message Mount message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Mount.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a Mount message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Mount & pb.Mount.$Shape} Mount
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Mount & pb.Mount.$Shape;
    }

    namespace Mount {

        /** Properties of a Mount. */
        interface $Properties {

            /** Mount input */
            input?: (number|Long|null);

            /** Mount selector */
            selector?: (string|null);

            /** Mount dest */
            dest?: (string|null);

            /** Mount output */
            output?: (number|Long|null);

            /** Mount readonly */
            readonly?: (boolean|null);

            /** Mount mountType */
            mountType?: (pb.MountType|null);

            /** Mount tmpfsOpt */
            tmpfsOpt?: (pb.TmpfsOpt.$Properties|null);

            /** Mount cacheOpt */
            cacheOpt?: (pb.CacheOpt.$Properties|null);

            /** Mount secretOpt */
            secretOpt?: (pb.SecretOpt.$Properties|null);

            /** Mount sshOpt */
            sshOpt?: (pb.SSHOpt.$Properties|null);

            /** Mount resultId */
            resultId?: (string|null);

            /** Mount contentCache */
            contentCache?: (pb.MountContentCache|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a Mount. */
        type $Shape = pb.Mount.$Properties;
    }

    /** MountType enum. */
    enum MountType {

        /** MOUNT_TYPE_BIND value */
        MOUNT_TYPE_BIND = 0,

        /** MOUNT_TYPE_SECRET value */
        MOUNT_TYPE_SECRET = 1,

        /** MOUNT_TYPE_SSH value */
        MOUNT_TYPE_SSH = 2,

        /** MOUNT_TYPE_CACHE value */
        MOUNT_TYPE_CACHE = 3,

        /** MOUNT_TYPE_TMPFS value */
        MOUNT_TYPE_TMPFS = 4
    }

    /** MountContentCache enum. */
    enum MountContentCache {

        /** MOUNT_CONTENT_CACHE_DEFAULT value */
        MOUNT_CONTENT_CACHE_DEFAULT = 0,

        /** MOUNT_CONTENT_CACHE_ON value */
        MOUNT_CONTENT_CACHE_ON = 1,

        /** MOUNT_CONTENT_CACHE_OFF value */
        MOUNT_CONTENT_CACHE_OFF = 2
    }

    /**
     * Properties of a TmpfsOpt.
     * @deprecated Use pb.TmpfsOpt.$Properties instead.
     */
    interface ITmpfsOpt extends pb.TmpfsOpt.$Properties {
    }

    /** Represents a TmpfsOpt. */
    class TmpfsOpt {

        /**
         * Constructs a new TmpfsOpt.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.TmpfsOpt.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** TmpfsOpt size. */
        size: (number|Long);

        /**
         * Encodes the specified TmpfsOpt message. Does not implicitly {@link pb.TmpfsOpt.verify|verify} messages.
         * @param message TmpfsOpt message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.TmpfsOpt.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a TmpfsOpt message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.TmpfsOpt & pb.TmpfsOpt.$Shape} TmpfsOpt
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.TmpfsOpt & pb.TmpfsOpt.$Shape;
    }

    namespace TmpfsOpt {

        /** Properties of a TmpfsOpt. */
        interface $Properties {

            /** TmpfsOpt size */
            size?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a TmpfsOpt. */
        type $Shape = pb.TmpfsOpt.$Properties;
    }

    /**
     * Properties of a CacheOpt.
     * @deprecated Use pb.CacheOpt.$Properties instead.
     */
    interface ICacheOpt extends pb.CacheOpt.$Properties {
    }

    /** Represents a CacheOpt. */
    class CacheOpt {

        /**
         * Constructs a new CacheOpt.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.CacheOpt.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** CacheOpt id. */
        id: string;

        /** CacheOpt sharing. */
        sharing: pb.CacheSharingOpt;

        /**
         * Encodes the specified CacheOpt message. Does not implicitly {@link pb.CacheOpt.verify|verify} messages.
         * @param message CacheOpt message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.CacheOpt.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a CacheOpt message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.CacheOpt & pb.CacheOpt.$Shape} CacheOpt
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.CacheOpt & pb.CacheOpt.$Shape;
    }

    namespace CacheOpt {

        /** Properties of a CacheOpt. */
        interface $Properties {

            /** CacheOpt id */
            id?: (string|null);

            /** CacheOpt sharing */
            sharing?: (pb.CacheSharingOpt|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a CacheOpt. */
        type $Shape = pb.CacheOpt.$Properties;
    }

    /** CacheSharingOpt enum. */
    enum CacheSharingOpt {

        /** CACHE_SHARING_OPT_SHARED value */
        CACHE_SHARING_OPT_SHARED = 0,

        /** CACHE_SHARING_OPT_PRIVATE value */
        CACHE_SHARING_OPT_PRIVATE = 1,

        /** CACHE_SHARING_OPT_LOCKED value */
        CACHE_SHARING_OPT_LOCKED = 2
    }

    /**
     * Properties of a SecretOpt.
     * @deprecated Use pb.SecretOpt.$Properties instead.
     */
    interface ISecretOpt extends pb.SecretOpt.$Properties {
    }

    /** Represents a SecretOpt. */
    class SecretOpt {

        /**
         * Constructs a new SecretOpt.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.SecretOpt.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** SecretOpt id. */
        id: string;

        /** SecretOpt uid. */
        uid: number;

        /** SecretOpt gid. */
        gid: number;

        /** SecretOpt mode. */
        mode: number;

        /** SecretOpt optional. */
        optional: boolean;

        /**
         * Encodes the specified SecretOpt message. Does not implicitly {@link pb.SecretOpt.verify|verify} messages.
         * @param message SecretOpt message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.SecretOpt.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a SecretOpt message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.SecretOpt & pb.SecretOpt.$Shape} SecretOpt
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.SecretOpt & pb.SecretOpt.$Shape;
    }

    namespace SecretOpt {

        /** Properties of a SecretOpt. */
        interface $Properties {

            /** SecretOpt id */
            id?: (string|null);

            /** SecretOpt uid */
            uid?: (number|null);

            /** SecretOpt gid */
            gid?: (number|null);

            /** SecretOpt mode */
            mode?: (number|null);

            /** SecretOpt optional */
            optional?: (boolean|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a SecretOpt. */
        type $Shape = pb.SecretOpt.$Properties;
    }

    /**
     * Properties of a SSHOpt.
     * @deprecated Use pb.SSHOpt.$Properties instead.
     */
    interface ISSHOpt extends pb.SSHOpt.$Properties {
    }

    /** Represents a SSHOpt. */
    class SSHOpt {

        /**
         * Constructs a new SSHOpt.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.SSHOpt.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** SSHOpt id. */
        id: string;

        /** SSHOpt uid. */
        uid: number;

        /** SSHOpt gid. */
        gid: number;

        /** SSHOpt mode. */
        mode: number;

        /** SSHOpt optional. */
        optional: boolean;

        /**
         * Encodes the specified SSHOpt message. Does not implicitly {@link pb.SSHOpt.verify|verify} messages.
         * @param message SSHOpt message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.SSHOpt.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a SSHOpt message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.SSHOpt & pb.SSHOpt.$Shape} SSHOpt
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.SSHOpt & pb.SSHOpt.$Shape;
    }

    namespace SSHOpt {

        /** Properties of a SSHOpt. */
        interface $Properties {

            /** SSHOpt id */
            id?: (string|null);

            /** SSHOpt uid */
            uid?: (number|null);

            /** SSHOpt gid */
            gid?: (number|null);

            /** SSHOpt mode */
            mode?: (number|null);

            /** SSHOpt optional */
            optional?: (boolean|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a SSHOpt. */
        type $Shape = pb.SSHOpt.$Properties;
    }

    /**
     * Properties of a SourceOp.
     * @deprecated Use pb.SourceOp.$Properties instead.
     */
    interface ISourceOp extends pb.SourceOp.$Properties {
    }

    /** Represents a SourceOp. */
    class SourceOp {

        /**
         * Constructs a new SourceOp.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.SourceOp.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** SourceOp identifier. */
        identifier: string;

        /** SourceOp attrs. */
        attrs: { [k: string]: string };

        /**
         * Encodes the specified SourceOp message. Does not implicitly {@link pb.SourceOp.verify|verify} messages.
         * @param message SourceOp message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.SourceOp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a SourceOp message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.SourceOp & pb.SourceOp.$Shape} SourceOp
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.SourceOp & pb.SourceOp.$Shape;
    }

    namespace SourceOp {

        /** Properties of a SourceOp. */
        interface $Properties {

            /** SourceOp identifier */
            identifier?: (string|null);

            /** SourceOp attrs */
            attrs?: ({ [k: string]: string }|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a SourceOp. */
        type $Shape = pb.SourceOp.$Properties;
    }

    /**
     * Properties of a BuildOp.
     * @deprecated Use pb.BuildOp.$Properties instead.
     */
    interface IBuildOp extends pb.BuildOp.$Properties {
    }

    /** Represents a BuildOp. */
    class BuildOp {

        /**
         * Constructs a new BuildOp.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.BuildOp.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** BuildOp builder. */
        builder: (number|Long);

        /** BuildOp inputs. */
        inputs: { [k: string]: pb.BuildInput.$Properties };

        /** BuildOp def. */
        def?: (pb.Definition.$Properties|null);

        /** BuildOp attrs. */
        attrs: { [k: string]: string };

        /**
         * Encodes the specified BuildOp message. Does not implicitly {@link pb.BuildOp.verify|verify} messages.
         * @param message BuildOp message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.BuildOp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a BuildOp message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.BuildOp & pb.BuildOp.$Shape} BuildOp
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.BuildOp & pb.BuildOp.$Shape;
    }

    namespace BuildOp {

        /** Properties of a BuildOp. */
        interface $Properties {

            /** BuildOp builder */
            builder?: (number|Long|null);

            /** BuildOp inputs */
            inputs?: ({ [k: string]: pb.BuildInput.$Properties }|null);

            /** BuildOp def */
            def?: (pb.Definition.$Properties|null);

            /** BuildOp attrs */
            attrs?: ({ [k: string]: string }|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a BuildOp. */
        type $Shape = pb.BuildOp.$Properties;
    }

    /**
     * Properties of a BuildInput.
     * @deprecated Use pb.BuildInput.$Properties instead.
     */
    interface IBuildInput extends pb.BuildInput.$Properties {
    }

    /** Represents a BuildInput. */
    class BuildInput {

        /**
         * Constructs a new BuildInput.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.BuildInput.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** BuildInput input. */
        input: (number|Long);

        /**
         * Encodes the specified BuildInput message. Does not implicitly {@link pb.BuildInput.verify|verify} messages.
         * @param message BuildInput message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.BuildInput.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a BuildInput message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.BuildInput & pb.BuildInput.$Shape} BuildInput
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.BuildInput & pb.BuildInput.$Shape;
    }

    namespace BuildInput {

        /** Properties of a BuildInput. */
        interface $Properties {

            /** BuildInput input */
            input?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a BuildInput. */
        type $Shape = pb.BuildInput.$Properties;
    }

    /**
     * Properties of an OpMetadata.
     * @deprecated Use pb.OpMetadata.$Properties instead.
     */
    interface IOpMetadata extends pb.OpMetadata.$Properties {
    }

    /** Represents an OpMetadata. */
    class OpMetadata {

        /**
         * Constructs a new OpMetadata.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.OpMetadata.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** OpMetadata ignoreCache. */
        ignoreCache: boolean;

        /** OpMetadata description. */
        description: { [k: string]: string };

        /** OpMetadata exportCache. */
        exportCache?: (pb.ExportCache.$Properties|null);

        /** OpMetadata caps. */
        caps: { [k: string]: boolean };

        /** OpMetadata progressGroup. */
        progressGroup?: (pb.ProgressGroup.$Properties|null);

        /** OpMetadata linuxResources. */
        linuxResources?: (pb.LinuxResources.$Properties|null);

        /**
         * Encodes the specified OpMetadata message. Does not implicitly {@link pb.OpMetadata.verify|verify} messages.
         * @param message OpMetadata message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.OpMetadata.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes an OpMetadata message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.OpMetadata & pb.OpMetadata.$Shape} OpMetadata
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.OpMetadata & pb.OpMetadata.$Shape;
    }

    namespace OpMetadata {

        /** Properties of an OpMetadata. */
        interface $Properties {

            /** OpMetadata ignoreCache */
            ignoreCache?: (boolean|null);

            /** OpMetadata description */
            description?: ({ [k: string]: string }|null);

            /** OpMetadata exportCache */
            exportCache?: (pb.ExportCache.$Properties|null);

            /** OpMetadata caps */
            caps?: ({ [k: string]: boolean }|null);

            /** OpMetadata progressGroup */
            progressGroup?: (pb.ProgressGroup.$Properties|null);

            /** OpMetadata linuxResources */
            linuxResources?: (pb.LinuxResources.$Properties|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of an OpMetadata. */
        type $Shape = pb.OpMetadata.$Properties;
    }

    /**
     * Properties of a Source.
     * @deprecated Use pb.Source.$Properties instead.
     */
    interface ISource extends pb.Source.$Properties {
    }

    /** Represents a Source. */
    class Source {

        /**
         * Constructs a new Source.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Source.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Source locations. */
        locations: { [k: string]: pb.Locations.$Properties };

        /** Source infos. */
        infos: pb.SourceInfo.$Properties[];

        /**
         * Encodes the specified Source message. Does not implicitly {@link pb.Source.verify|verify} messages.
         * @param message Source message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Source.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a Source message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Source & pb.Source.$Shape} Source
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Source & pb.Source.$Shape;
    }

    namespace Source {

        /** Properties of a Source. */
        interface $Properties {

            /** Source locations */
            locations?: ({ [k: string]: pb.Locations.$Properties }|null);

            /** Source infos */
            infos?: (pb.SourceInfo.$Properties[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a Source. */
        type $Shape = pb.Source.$Properties;
    }

    /**
     * Properties of a Locations.
     * @deprecated Use pb.Locations.$Properties instead.
     */
    interface ILocations extends pb.Locations.$Properties {
    }

    /** Represents a Locations. */
    class Locations {

        /**
         * Constructs a new Locations.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Locations.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Locations locations. */
        locations: pb.Location.$Properties[];

        /**
         * Encodes the specified Locations message. Does not implicitly {@link pb.Locations.verify|verify} messages.
         * @param message Locations message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Locations.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a Locations message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Locations & pb.Locations.$Shape} Locations
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Locations & pb.Locations.$Shape;
    }

    namespace Locations {

        /** Properties of a Locations. */
        interface $Properties {

            /** Locations locations */
            locations?: (pb.Location.$Properties[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a Locations. */
        type $Shape = pb.Locations.$Properties;
    }

    /**
     * Properties of a SourceInfo.
     * @deprecated Use pb.SourceInfo.$Properties instead.
     */
    interface ISourceInfo extends pb.SourceInfo.$Properties {
    }

    /** Represents a SourceInfo. */
    class SourceInfo {

        /**
         * Constructs a new SourceInfo.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.SourceInfo.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** SourceInfo filename. */
        filename: string;

        /** SourceInfo data. */
        data: Uint8Array;

        /** SourceInfo definition. */
        definition?: (pb.Definition.$Properties|null);

        /** SourceInfo language. */
        language: string;

        /**
         * Encodes the specified SourceInfo message. Does not implicitly {@link pb.SourceInfo.verify|verify} messages.
         * @param message SourceInfo message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.SourceInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a SourceInfo message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.SourceInfo & pb.SourceInfo.$Shape} SourceInfo
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.SourceInfo & pb.SourceInfo.$Shape;
    }

    namespace SourceInfo {

        /** Properties of a SourceInfo. */
        interface $Properties {

            /** SourceInfo filename */
            filename?: (string|null);

            /** SourceInfo data */
            data?: (Uint8Array|null);

            /** SourceInfo definition */
            definition?: (pb.Definition.$Properties|null);

            /** SourceInfo language */
            language?: (string|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a SourceInfo. */
        type $Shape = pb.SourceInfo.$Properties;
    }

    /**
     * Properties of a Location.
     * @deprecated Use pb.Location.$Properties instead.
     */
    interface ILocation extends pb.Location.$Properties {
    }

    /** Represents a Location. */
    class Location {

        /**
         * Constructs a new Location.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Location.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Location sourceIndex. */
        sourceIndex: number;

        /** Location ranges. */
        ranges: pb.Range.$Properties[];

        /**
         * Encodes the specified Location message. Does not implicitly {@link pb.Location.verify|verify} messages.
         * @param message Location message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Location.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a Location message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Location & pb.Location.$Shape} Location
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Location & pb.Location.$Shape;
    }

    namespace Location {

        /** Properties of a Location. */
        interface $Properties {

            /** Location sourceIndex */
            sourceIndex?: (number|null);

            /** Location ranges */
            ranges?: (pb.Range.$Properties[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a Location. */
        type $Shape = pb.Location.$Properties;
    }

    /**
     * Properties of a Range.
     * @deprecated Use pb.Range.$Properties instead.
     */
    interface IRange extends pb.Range.$Properties {
    }

    /** Represents a Range. */
    class Range {

        /**
         * Constructs a new Range.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Range.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Range start. */
        start?: (pb.Position.$Properties|null);

        /** Range end. */
        end?: (pb.Position.$Properties|null);

        /**
         * Encodes the specified Range message. Does not implicitly {@link pb.Range.verify|verify} messages.
         * @param message Range message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Range.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a Range message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Range & pb.Range.$Shape} Range
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Range & pb.Range.$Shape;
    }

    namespace Range {

        /** Properties of a Range. */
        interface $Properties {

            /** Range start */
            start?: (pb.Position.$Properties|null);

            /** Range end */
            end?: (pb.Position.$Properties|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a Range. */
        type $Shape = pb.Range.$Properties;
    }

    /**
     * Properties of a Position.
     * @deprecated Use pb.Position.$Properties instead.
     */
    interface IPosition extends pb.Position.$Properties {
    }

    /** Represents a Position. */
    class Position {

        /**
         * Constructs a new Position.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Position.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Position line. */
        line: number;

        /** Position character. */
        character: number;

        /**
         * Encodes the specified Position message. Does not implicitly {@link pb.Position.verify|verify} messages.
         * @param message Position message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Position.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a Position message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Position & pb.Position.$Shape} Position
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Position & pb.Position.$Shape;
    }

    namespace Position {

        /** Properties of a Position. */
        interface $Properties {

            /** Position line */
            line?: (number|null);

            /** Position character */
            character?: (number|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a Position. */
        type $Shape = pb.Position.$Properties;
    }

    /**
     * Properties of an ExportCache.
     * @deprecated Use pb.ExportCache.$Properties instead.
     */
    interface IExportCache extends pb.ExportCache.$Properties {
    }

    /** Represents an ExportCache. */
    class ExportCache {

        /**
         * Constructs a new ExportCache.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.ExportCache.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** ExportCache value. */
        value: boolean;

        /**
         * Encodes the specified ExportCache message. Does not implicitly {@link pb.ExportCache.verify|verify} messages.
         * @param message ExportCache message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.ExportCache.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes an ExportCache message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.ExportCache & pb.ExportCache.$Shape} ExportCache
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.ExportCache & pb.ExportCache.$Shape;
    }

    namespace ExportCache {

        /** Properties of an ExportCache. */
        interface $Properties {

            /** ExportCache value */
            value?: (boolean|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of an ExportCache. */
        type $Shape = pb.ExportCache.$Properties;
    }

    /**
     * Properties of a ProgressGroup.
     * @deprecated Use pb.ProgressGroup.$Properties instead.
     */
    interface IProgressGroup extends pb.ProgressGroup.$Properties {
    }

    /** Represents a ProgressGroup. */
    class ProgressGroup {

        /**
         * Constructs a new ProgressGroup.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.ProgressGroup.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** ProgressGroup id. */
        id: string;

        /** ProgressGroup name. */
        name: string;

        /** ProgressGroup weak. */
        weak: boolean;

        /**
         * Encodes the specified ProgressGroup message. Does not implicitly {@link pb.ProgressGroup.verify|verify} messages.
         * @param message ProgressGroup message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.ProgressGroup.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a ProgressGroup message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.ProgressGroup & pb.ProgressGroup.$Shape} ProgressGroup
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.ProgressGroup & pb.ProgressGroup.$Shape;
    }

    namespace ProgressGroup {

        /** Properties of a ProgressGroup. */
        interface $Properties {

            /** ProgressGroup id */
            id?: (string|null);

            /** ProgressGroup name */
            name?: (string|null);

            /** ProgressGroup weak */
            weak?: (boolean|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a ProgressGroup. */
        type $Shape = pb.ProgressGroup.$Properties;
    }

    /**
     * Properties of a LinuxResources.
     * @deprecated Use pb.LinuxResources.$Properties instead.
     */
    interface ILinuxResources extends pb.LinuxResources.$Properties {
    }

    /** Represents a LinuxResources. */
    class LinuxResources {

        /**
         * Constructs a new LinuxResources.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.LinuxResources.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** LinuxResources memory. */
        memory: (number|Long);

        /** LinuxResources memorySwap. */
        memorySwap: (number|Long);

        /** LinuxResources cpuShares. */
        cpuShares: (number|Long);

        /** LinuxResources cpuPeriod. */
        cpuPeriod: (number|Long);

        /** LinuxResources cpuQuota. */
        cpuQuota: (number|Long);

        /** LinuxResources cpusetCpus. */
        cpusetCpus: string;

        /** LinuxResources cpusetMems. */
        cpusetMems: string;

        /**
         * Encodes the specified LinuxResources message. Does not implicitly {@link pb.LinuxResources.verify|verify} messages.
         * @param message LinuxResources message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.LinuxResources.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a LinuxResources message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.LinuxResources & pb.LinuxResources.$Shape} LinuxResources
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.LinuxResources & pb.LinuxResources.$Shape;
    }

    namespace LinuxResources {

        /** Properties of a LinuxResources. */
        interface $Properties {

            /** LinuxResources memory */
            memory?: (number|Long|null);

            /** LinuxResources memorySwap */
            memorySwap?: (number|Long|null);

            /** LinuxResources cpuShares */
            cpuShares?: (number|Long|null);

            /** LinuxResources cpuPeriod */
            cpuPeriod?: (number|Long|null);

            /** LinuxResources cpuQuota */
            cpuQuota?: (number|Long|null);

            /** LinuxResources cpusetCpus */
            cpusetCpus?: (string|null);

            /** LinuxResources cpusetMems */
            cpusetMems?: (string|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a LinuxResources. */
        type $Shape = pb.LinuxResources.$Properties;
    }

    /**
     * Properties of a ProxyEnv.
     * @deprecated Use pb.ProxyEnv.$Properties instead.
     */
    interface IProxyEnv extends pb.ProxyEnv.$Properties {
    }

    /** Represents a ProxyEnv. */
    class ProxyEnv {

        /**
         * Constructs a new ProxyEnv.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.ProxyEnv.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** ProxyEnv httpProxy. */
        httpProxy: string;

        /** ProxyEnv httpsProxy. */
        httpsProxy: string;

        /** ProxyEnv ftpProxy. */
        ftpProxy: string;

        /** ProxyEnv noProxy. */
        noProxy: string;

        /** ProxyEnv allProxy. */
        allProxy: string;

        /**
         * Encodes the specified ProxyEnv message. Does not implicitly {@link pb.ProxyEnv.verify|verify} messages.
         * @param message ProxyEnv message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.ProxyEnv.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a ProxyEnv message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.ProxyEnv & pb.ProxyEnv.$Shape} ProxyEnv
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.ProxyEnv & pb.ProxyEnv.$Shape;
    }

    namespace ProxyEnv {

        /** Properties of a ProxyEnv. */
        interface $Properties {

            /** ProxyEnv httpProxy */
            httpProxy?: (string|null);

            /** ProxyEnv httpsProxy */
            httpsProxy?: (string|null);

            /** ProxyEnv ftpProxy */
            ftpProxy?: (string|null);

            /** ProxyEnv noProxy */
            noProxy?: (string|null);

            /** ProxyEnv allProxy */
            allProxy?: (string|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a ProxyEnv. */
        type $Shape = pb.ProxyEnv.$Properties;
    }

    /**
     * Properties of a WorkerConstraints.
     * @deprecated Use pb.WorkerConstraints.$Properties instead.
     */
    interface IWorkerConstraints extends pb.WorkerConstraints.$Properties {
    }

    /** Represents a WorkerConstraints. */
    class WorkerConstraints {

        /**
         * Constructs a new WorkerConstraints.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.WorkerConstraints.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** WorkerConstraints filter. */
        filter: string[];

        /**
         * Encodes the specified WorkerConstraints message. Does not implicitly {@link pb.WorkerConstraints.verify|verify} messages.
         * @param message WorkerConstraints message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.WorkerConstraints.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a WorkerConstraints message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.WorkerConstraints & pb.WorkerConstraints.$Shape} WorkerConstraints
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.WorkerConstraints & pb.WorkerConstraints.$Shape;
    }

    namespace WorkerConstraints {

        /** Properties of a WorkerConstraints. */
        interface $Properties {

            /** WorkerConstraints filter */
            filter?: (string[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a WorkerConstraints. */
        type $Shape = pb.WorkerConstraints.$Properties;
    }

    /**
     * Properties of a Definition.
     * @deprecated Use pb.Definition.$Properties instead.
     */
    interface IDefinition extends pb.Definition.$Properties {
    }

    /** Represents a Definition. */
    class Definition {

        /**
         * Constructs a new Definition.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.Definition.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** Definition def. */
        def: Uint8Array[];

        /** Definition metadata. */
        metadata: { [k: string]: pb.OpMetadata.$Properties };

        /** Definition source. */
        source?: (pb.Source.$Properties|null);

        /**
         * Encodes the specified Definition message. Does not implicitly {@link pb.Definition.verify|verify} messages.
         * @param message Definition message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.Definition.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a Definition message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.Definition & pb.Definition.$Shape} Definition
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.Definition & pb.Definition.$Shape;
    }

    namespace Definition {

        /** Properties of a Definition. */
        interface $Properties {

            /** Definition def */
            def?: (Uint8Array[]|null);

            /** Definition metadata */
            metadata?: ({ [k: string]: pb.OpMetadata.$Properties }|null);

            /** Definition source */
            source?: (pb.Source.$Properties|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a Definition. */
        type $Shape = pb.Definition.$Properties;
    }

    /**
     * Properties of a FileOp.
     * @deprecated Use pb.FileOp.$Properties instead.
     */
    interface IFileOp extends pb.FileOp.$Properties {
    }

    /** Represents a FileOp. */
    class FileOp {

        /**
         * Constructs a new FileOp.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.FileOp.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** FileOp actions. */
        actions: pb.FileAction.$Properties[];

        /**
         * Encodes the specified FileOp message. Does not implicitly {@link pb.FileOp.verify|verify} messages.
         * @param message FileOp message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.FileOp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a FileOp message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.FileOp & pb.FileOp.$Shape} FileOp
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.FileOp & pb.FileOp.$Shape;
    }

    namespace FileOp {

        /** Properties of a FileOp. */
        interface $Properties {

            /** FileOp actions */
            actions?: (pb.FileAction.$Properties[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a FileOp. */
        type $Shape = {
          actions?: pb.FileAction.$Shape[]|null;
          $unknowns?: Uint8Array[];
        };
    }

    /**
     * Properties of a FileAction.
     * @deprecated Use pb.FileAction.$Properties instead.
     */
    interface IFileAction extends pb.FileAction.$Properties {
    }

    /** Represents a FileAction. */
    class FileAction {

        /**
         * Constructs a new FileAction.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.FileAction.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** FileAction input. */
        input: (number|Long);

        /** FileAction secondaryInput. */
        secondaryInput: (number|Long);

        /** FileAction output. */
        output: (number|Long);

        /** FileAction copy. */
        copy?: (pb.FileActionCopy.$Properties|null);

        /** FileAction mkfile. */
        mkfile?: (pb.FileActionMkFile.$Properties|null);

        /** FileAction mkdir. */
        mkdir?: (pb.FileActionMkDir.$Properties|null);

        /** FileAction rm. */
        rm?: (pb.FileActionRm.$Properties|null);

        /** FileAction symlink. */
        symlink?: (pb.FileActionSymlink.$Properties|null);

        /** FileAction action. */
        action?: ("copy"|"mkfile"|"mkdir"|"rm"|"symlink");

        /**
         * Encodes the specified FileAction message. Does not implicitly {@link pb.FileAction.verify|verify} messages.
         * @param message FileAction message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.FileAction.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a FileAction message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.FileAction & pb.FileAction.$Shape} FileAction
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.FileAction & pb.FileAction.$Shape;
    }

    namespace FileAction {

        /** Properties of a FileAction. */
        interface $Properties {

            /** FileAction input */
            input?: (number|Long|null);

            /** FileAction secondaryInput */
            secondaryInput?: (number|Long|null);

            /** FileAction output */
            output?: (number|Long|null);

            /** FileAction copy */
            copy?: (pb.FileActionCopy.$Properties|null);

            /** FileAction mkfile */
            mkfile?: (pb.FileActionMkFile.$Properties|null);

            /** FileAction mkdir */
            mkdir?: (pb.FileActionMkDir.$Properties|null);

            /** FileAction rm */
            rm?: (pb.FileActionRm.$Properties|null);

            /** FileAction symlink */
            symlink?: (pb.FileActionSymlink.$Properties|null);

            /** FileAction action */
            action?: ("copy"|"mkfile"|"mkdir"|"rm"|"symlink");

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Narrowed shape of a FileAction. */
        type $Shape = {
          input?: number|Long|null;
          secondaryInput?: number|Long|null;
          output?: number|Long|null;
          copy?: pb.FileActionCopy.$Shape|null;
          mkfile?: pb.FileActionMkFile.$Shape|null;
          mkdir?: pb.FileActionMkDir.$Shape|null;
          rm?: pb.FileActionRm.$Shape|null;
          symlink?: pb.FileActionSymlink.$Shape|null;
          $unknowns?: Uint8Array[];
        } & (
          ({ action?: undefined; copy?: null; mkfile?: null; mkdir?: null; rm?: null; symlink?: null }|{ action?: "copy"; copy: pb.FileActionCopy.$Shape; mkfile?: null; mkdir?: null; rm?: null; symlink?: null }|{ action?: "mkfile"; copy?: null; mkfile: pb.FileActionMkFile.$Shape; mkdir?: null; rm?: null; symlink?: null }|{ action?: "mkdir"; copy?: null; mkfile?: null; mkdir: pb.FileActionMkDir.$Shape; rm?: null; symlink?: null }|{ action?: "rm"; copy?: null; mkfile?: null; mkdir?: null; rm: pb.FileActionRm.$Shape; symlink?: null }|{ action?: "symlink"; copy?: null; mkfile?: null; mkdir?: null; rm?: null; symlink: pb.FileActionSymlink.$Shape })
        );
    }

    /**
     * Properties of a FileActionCopy.
     * @deprecated Use pb.FileActionCopy.$Properties instead.
     */
    interface IFileActionCopy extends pb.FileActionCopy.$Properties {
    }

    /** Represents a FileActionCopy. */
    class FileActionCopy {

        /**
         * Constructs a new FileActionCopy.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.FileActionCopy.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** FileActionCopy src. */
        src: string;

        /** FileActionCopy dest. */
        dest: string;

        /** FileActionCopy owner. */
        owner?: (pb.ChownOpt.$Properties|null);

        /** FileActionCopy mode. */
        mode: number;

        /** FileActionCopy followSymlink. */
        followSymlink: boolean;

        /** FileActionCopy dirCopyContents. */
        dirCopyContents: boolean;

        /** FileActionCopy attemptUnpackDockerCompatibility. */
        attemptUnpackDockerCompatibility: boolean;

        /** FileActionCopy createDestPath. */
        createDestPath: boolean;

        /** FileActionCopy allowWildcard. */
        allowWildcard: boolean;

        /** FileActionCopy allowEmptyWildcard. */
        allowEmptyWildcard: boolean;

        /** FileActionCopy timestamp. */
        timestamp: (number|Long);

        /** FileActionCopy includePatterns. */
        includePatterns: string[];

        /** FileActionCopy excludePatterns. */
        excludePatterns: string[];

        /** FileActionCopy alwaysReplaceExistingDestPaths. */
        alwaysReplaceExistingDestPaths: boolean;

        /** FileActionCopy modeStr. */
        modeStr: string;

        /** FileActionCopy requiredPaths. */
        requiredPaths: string[];

        /**
         * Encodes the specified FileActionCopy message. Does not implicitly {@link pb.FileActionCopy.verify|verify} messages.
         * @param message FileActionCopy message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.FileActionCopy.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a FileActionCopy message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.FileActionCopy & pb.FileActionCopy.$Shape} FileActionCopy
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.FileActionCopy & pb.FileActionCopy.$Shape;
    }

    namespace FileActionCopy {

        /** Properties of a FileActionCopy. */
        interface $Properties {

            /** FileActionCopy src */
            src?: (string|null);

            /** FileActionCopy dest */
            dest?: (string|null);

            /** FileActionCopy owner */
            owner?: (pb.ChownOpt.$Properties|null);

            /** FileActionCopy mode */
            mode?: (number|null);

            /** FileActionCopy followSymlink */
            followSymlink?: (boolean|null);

            /** FileActionCopy dirCopyContents */
            dirCopyContents?: (boolean|null);

            /** FileActionCopy attemptUnpackDockerCompatibility */
            attemptUnpackDockerCompatibility?: (boolean|null);

            /** FileActionCopy createDestPath */
            createDestPath?: (boolean|null);

            /** FileActionCopy allowWildcard */
            allowWildcard?: (boolean|null);

            /** FileActionCopy allowEmptyWildcard */
            allowEmptyWildcard?: (boolean|null);

            /** FileActionCopy timestamp */
            timestamp?: (number|Long|null);

            /** FileActionCopy includePatterns */
            includePatterns?: (string[]|null);

            /** FileActionCopy excludePatterns */
            excludePatterns?: (string[]|null);

            /** FileActionCopy alwaysReplaceExistingDestPaths */
            alwaysReplaceExistingDestPaths?: (boolean|null);

            /** FileActionCopy modeStr */
            modeStr?: (string|null);

            /** FileActionCopy requiredPaths */
            requiredPaths?: (string[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a FileActionCopy. */
        type $Shape = {
          src?: string|null;
          dest?: string|null;
          owner?: pb.ChownOpt.$Shape|null;
          mode?: number|null;
          followSymlink?: boolean|null;
          dirCopyContents?: boolean|null;
          attemptUnpackDockerCompatibility?: boolean|null;
          createDestPath?: boolean|null;
          allowWildcard?: boolean|null;
          allowEmptyWildcard?: boolean|null;
          timestamp?: number|Long|null;
          includePatterns?: string[]|null;
          excludePatterns?: string[]|null;
          alwaysReplaceExistingDestPaths?: boolean|null;
          modeStr?: string|null;
          requiredPaths?: string[]|null;
          $unknowns?: Uint8Array[];
        };
    }

    /**
     * Properties of a FileActionMkFile.
     * @deprecated Use pb.FileActionMkFile.$Properties instead.
     */
    interface IFileActionMkFile extends pb.FileActionMkFile.$Properties {
    }

    /** Represents a FileActionMkFile. */
    class FileActionMkFile {

        /**
         * Constructs a new FileActionMkFile.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.FileActionMkFile.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** FileActionMkFile path. */
        path: string;

        /** FileActionMkFile mode. */
        mode: number;

        /** FileActionMkFile data. */
        data: Uint8Array;

        /** FileActionMkFile owner. */
        owner?: (pb.ChownOpt.$Properties|null);

        /** FileActionMkFile timestamp. */
        timestamp: (number|Long);

        /**
         * Encodes the specified FileActionMkFile message. Does not implicitly {@link pb.FileActionMkFile.verify|verify} messages.
         * @param message FileActionMkFile message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.FileActionMkFile.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a FileActionMkFile message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.FileActionMkFile & pb.FileActionMkFile.$Shape} FileActionMkFile
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.FileActionMkFile & pb.FileActionMkFile.$Shape;
    }

    namespace FileActionMkFile {

        /** Properties of a FileActionMkFile. */
        interface $Properties {

            /** FileActionMkFile path */
            path?: (string|null);

            /** FileActionMkFile mode */
            mode?: (number|null);

            /** FileActionMkFile data */
            data?: (Uint8Array|null);

            /** FileActionMkFile owner */
            owner?: (pb.ChownOpt.$Properties|null);

            /** FileActionMkFile timestamp */
            timestamp?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a FileActionMkFile. */
        type $Shape = {
          path?: string|null;
          mode?: number|null;
          data?: Uint8Array|null;
          owner?: pb.ChownOpt.$Shape|null;
          timestamp?: number|Long|null;
          $unknowns?: Uint8Array[];
        };
    }

    /**
     * Properties of a FileActionSymlink.
     * @deprecated Use pb.FileActionSymlink.$Properties instead.
     */
    interface IFileActionSymlink extends pb.FileActionSymlink.$Properties {
    }

    /** Represents a FileActionSymlink. */
    class FileActionSymlink {

        /**
         * Constructs a new FileActionSymlink.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.FileActionSymlink.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** FileActionSymlink oldpath. */
        oldpath: string;

        /** FileActionSymlink newpath. */
        newpath: string;

        /** FileActionSymlink owner. */
        owner?: (pb.ChownOpt.$Properties|null);

        /** FileActionSymlink timestamp. */
        timestamp: (number|Long);

        /**
         * Encodes the specified FileActionSymlink message. Does not implicitly {@link pb.FileActionSymlink.verify|verify} messages.
         * @param message FileActionSymlink message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.FileActionSymlink.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a FileActionSymlink message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.FileActionSymlink & pb.FileActionSymlink.$Shape} FileActionSymlink
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.FileActionSymlink & pb.FileActionSymlink.$Shape;
    }

    namespace FileActionSymlink {

        /** Properties of a FileActionSymlink. */
        interface $Properties {

            /** FileActionSymlink oldpath */
            oldpath?: (string|null);

            /** FileActionSymlink newpath */
            newpath?: (string|null);

            /** FileActionSymlink owner */
            owner?: (pb.ChownOpt.$Properties|null);

            /** FileActionSymlink timestamp */
            timestamp?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a FileActionSymlink. */
        type $Shape = {
          oldpath?: string|null;
          newpath?: string|null;
          owner?: pb.ChownOpt.$Shape|null;
          timestamp?: number|Long|null;
          $unknowns?: Uint8Array[];
        };
    }

    /**
     * Properties of a FileActionMkDir.
     * @deprecated Use pb.FileActionMkDir.$Properties instead.
     */
    interface IFileActionMkDir extends pb.FileActionMkDir.$Properties {
    }

    /** Represents a FileActionMkDir. */
    class FileActionMkDir {

        /**
         * Constructs a new FileActionMkDir.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.FileActionMkDir.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** FileActionMkDir path. */
        path: string;

        /** FileActionMkDir mode. */
        mode: number;

        /** FileActionMkDir makeParents. */
        makeParents: boolean;

        /** FileActionMkDir owner. */
        owner?: (pb.ChownOpt.$Properties|null);

        /** FileActionMkDir timestamp. */
        timestamp: (number|Long);

        /**
         * Encodes the specified FileActionMkDir message. Does not implicitly {@link pb.FileActionMkDir.verify|verify} messages.
         * @param message FileActionMkDir message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.FileActionMkDir.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a FileActionMkDir message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.FileActionMkDir & pb.FileActionMkDir.$Shape} FileActionMkDir
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.FileActionMkDir & pb.FileActionMkDir.$Shape;
    }

    namespace FileActionMkDir {

        /** Properties of a FileActionMkDir. */
        interface $Properties {

            /** FileActionMkDir path */
            path?: (string|null);

            /** FileActionMkDir mode */
            mode?: (number|null);

            /** FileActionMkDir makeParents */
            makeParents?: (boolean|null);

            /** FileActionMkDir owner */
            owner?: (pb.ChownOpt.$Properties|null);

            /** FileActionMkDir timestamp */
            timestamp?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a FileActionMkDir. */
        type $Shape = {
          path?: string|null;
          mode?: number|null;
          makeParents?: boolean|null;
          owner?: pb.ChownOpt.$Shape|null;
          timestamp?: number|Long|null;
          $unknowns?: Uint8Array[];
        };
    }

    /**
     * Properties of a FileActionRm.
     * @deprecated Use pb.FileActionRm.$Properties instead.
     */
    interface IFileActionRm extends pb.FileActionRm.$Properties {
    }

    /** Represents a FileActionRm. */
    class FileActionRm {

        /**
         * Constructs a new FileActionRm.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.FileActionRm.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** FileActionRm path. */
        path: string;

        /** FileActionRm allowNotFound. */
        allowNotFound: boolean;

        /** FileActionRm allowWildcard. */
        allowWildcard: boolean;

        /**
         * Encodes the specified FileActionRm message. Does not implicitly {@link pb.FileActionRm.verify|verify} messages.
         * @param message FileActionRm message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.FileActionRm.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a FileActionRm message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.FileActionRm & pb.FileActionRm.$Shape} FileActionRm
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.FileActionRm & pb.FileActionRm.$Shape;
    }

    namespace FileActionRm {

        /** Properties of a FileActionRm. */
        interface $Properties {

            /** FileActionRm path */
            path?: (string|null);

            /** FileActionRm allowNotFound */
            allowNotFound?: (boolean|null);

            /** FileActionRm allowWildcard */
            allowWildcard?: (boolean|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a FileActionRm. */
        type $Shape = pb.FileActionRm.$Properties;
    }

    /**
     * Properties of a ChownOpt.
     * @deprecated Use pb.ChownOpt.$Properties instead.
     */
    interface IChownOpt extends pb.ChownOpt.$Properties {
    }

    /** Represents a ChownOpt. */
    class ChownOpt {

        /**
         * Constructs a new ChownOpt.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.ChownOpt.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** ChownOpt user. */
        user?: (pb.UserOpt.$Properties|null);

        /** ChownOpt group. */
        group?: (pb.UserOpt.$Properties|null);

        /**
         * Encodes the specified ChownOpt message. Does not implicitly {@link pb.ChownOpt.verify|verify} messages.
         * @param message ChownOpt message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.ChownOpt.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a ChownOpt message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.ChownOpt & pb.ChownOpt.$Shape} ChownOpt
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.ChownOpt & pb.ChownOpt.$Shape;
    }

    namespace ChownOpt {

        /** Properties of a ChownOpt. */
        interface $Properties {

            /** ChownOpt user */
            user?: (pb.UserOpt.$Properties|null);

            /** ChownOpt group */
            group?: (pb.UserOpt.$Properties|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a ChownOpt. */
        type $Shape = {
          user?: pb.UserOpt.$Shape|null;
          group?: pb.UserOpt.$Shape|null;
          $unknowns?: Uint8Array[];
        };
    }

    /**
     * Properties of a UserOpt.
     * @deprecated Use pb.UserOpt.$Properties instead.
     */
    interface IUserOpt extends pb.UserOpt.$Properties {
    }

    /** Represents a UserOpt. */
    class UserOpt {

        /**
         * Constructs a new UserOpt.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.UserOpt.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** UserOpt byName. */
        byName?: (pb.NamedUserOpt.$Properties|null);

        /** UserOpt byId. */
        byId?: (number|null);

        /** UserOpt user. */
        user?: ("byName"|"byId");

        /**
         * Encodes the specified UserOpt message. Does not implicitly {@link pb.UserOpt.verify|verify} messages.
         * @param message UserOpt message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.UserOpt.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a UserOpt message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.UserOpt & pb.UserOpt.$Shape} UserOpt
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.UserOpt & pb.UserOpt.$Shape;
    }

    namespace UserOpt {

        /** Properties of a UserOpt. */
        interface $Properties {

            /** UserOpt byName */
            byName?: (pb.NamedUserOpt.$Properties|null);

            /** UserOpt byId */
            byId?: (number|null);

            /** UserOpt user */
            user?: ("byName"|"byId");

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Narrowed shape of a UserOpt. */
        type $Shape = {
          byName?: pb.NamedUserOpt.$Shape|null;
          byId?: number|null;
          $unknowns?: Uint8Array[];
        } & (
          ({ user?: undefined; byName?: null; byId?: null }|{ user?: "byName"; byName: pb.NamedUserOpt.$Shape; byId?: null }|{ user?: "byId"; byName?: null; byId: number })
        );
    }

    /**
     * Properties of a NamedUserOpt.
     * @deprecated Use pb.NamedUserOpt.$Properties instead.
     */
    interface INamedUserOpt extends pb.NamedUserOpt.$Properties {
    }

    /** Represents a NamedUserOpt. */
    class NamedUserOpt {

        /**
         * Constructs a new NamedUserOpt.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.NamedUserOpt.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** NamedUserOpt name. */
        name: string;

        /** NamedUserOpt input. */
        input: (number|Long);

        /**
         * Encodes the specified NamedUserOpt message. Does not implicitly {@link pb.NamedUserOpt.verify|verify} messages.
         * @param message NamedUserOpt message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.NamedUserOpt.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a NamedUserOpt message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.NamedUserOpt & pb.NamedUserOpt.$Shape} NamedUserOpt
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.NamedUserOpt & pb.NamedUserOpt.$Shape;
    }

    namespace NamedUserOpt {

        /** Properties of a NamedUserOpt. */
        interface $Properties {

            /** NamedUserOpt name */
            name?: (string|null);

            /** NamedUserOpt input */
            input?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a NamedUserOpt. */
        type $Shape = pb.NamedUserOpt.$Properties;
    }

    /**
     * Properties of a MergeInput.
     * @deprecated Use pb.MergeInput.$Properties instead.
     */
    interface IMergeInput extends pb.MergeInput.$Properties {
    }

    /** Represents a MergeInput. */
    class MergeInput {

        /**
         * Constructs a new MergeInput.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.MergeInput.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** MergeInput input. */
        input: (number|Long);

        /**
         * Encodes the specified MergeInput message. Does not implicitly {@link pb.MergeInput.verify|verify} messages.
         * @param message MergeInput message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.MergeInput.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a MergeInput message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.MergeInput & pb.MergeInput.$Shape} MergeInput
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.MergeInput & pb.MergeInput.$Shape;
    }

    namespace MergeInput {

        /** Properties of a MergeInput. */
        interface $Properties {

            /** MergeInput input */
            input?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a MergeInput. */
        type $Shape = pb.MergeInput.$Properties;
    }

    /**
     * Properties of a MergeOp.
     * @deprecated Use pb.MergeOp.$Properties instead.
     */
    interface IMergeOp extends pb.MergeOp.$Properties {
    }

    /** Represents a MergeOp. */
    class MergeOp {

        /**
         * Constructs a new MergeOp.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.MergeOp.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** MergeOp inputs. */
        inputs: pb.MergeInput.$Properties[];

        /**
         * Encodes the specified MergeOp message. Does not implicitly {@link pb.MergeOp.verify|verify} messages.
         * @param message MergeOp message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.MergeOp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a MergeOp message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.MergeOp & pb.MergeOp.$Shape} MergeOp
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.MergeOp & pb.MergeOp.$Shape;
    }

    namespace MergeOp {

        /** Properties of a MergeOp. */
        interface $Properties {

            /** MergeOp inputs */
            inputs?: (pb.MergeInput.$Properties[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a MergeOp. */
        type $Shape = pb.MergeOp.$Properties;
    }

    /**
     * Properties of a LowerDiffInput.
     * @deprecated Use pb.LowerDiffInput.$Properties instead.
     */
    interface ILowerDiffInput extends pb.LowerDiffInput.$Properties {
    }

    /** Represents a LowerDiffInput. */
    class LowerDiffInput {

        /**
         * Constructs a new LowerDiffInput.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.LowerDiffInput.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** LowerDiffInput input. */
        input: (number|Long);

        /**
         * Encodes the specified LowerDiffInput message. Does not implicitly {@link pb.LowerDiffInput.verify|verify} messages.
         * @param message LowerDiffInput message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.LowerDiffInput.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a LowerDiffInput message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.LowerDiffInput & pb.LowerDiffInput.$Shape} LowerDiffInput
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.LowerDiffInput & pb.LowerDiffInput.$Shape;
    }

    namespace LowerDiffInput {

        /** Properties of a LowerDiffInput. */
        interface $Properties {

            /** LowerDiffInput input */
            input?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a LowerDiffInput. */
        type $Shape = pb.LowerDiffInput.$Properties;
    }

    /**
     * Properties of an UpperDiffInput.
     * @deprecated Use pb.UpperDiffInput.$Properties instead.
     */
    interface IUpperDiffInput extends pb.UpperDiffInput.$Properties {
    }

    /** Represents an UpperDiffInput. */
    class UpperDiffInput {

        /**
         * Constructs a new UpperDiffInput.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.UpperDiffInput.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** UpperDiffInput input. */
        input: (number|Long);

        /**
         * Encodes the specified UpperDiffInput message. Does not implicitly {@link pb.UpperDiffInput.verify|verify} messages.
         * @param message UpperDiffInput message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.UpperDiffInput.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes an UpperDiffInput message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.UpperDiffInput & pb.UpperDiffInput.$Shape} UpperDiffInput
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.UpperDiffInput & pb.UpperDiffInput.$Shape;
    }

    namespace UpperDiffInput {

        /** Properties of an UpperDiffInput. */
        interface $Properties {

            /** UpperDiffInput input */
            input?: (number|Long|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of an UpperDiffInput. */
        type $Shape = pb.UpperDiffInput.$Properties;
    }

    /**
     * Properties of a DiffOp.
     * @deprecated Use pb.DiffOp.$Properties instead.
     */
    interface IDiffOp extends pb.DiffOp.$Properties {
    }

    /** Represents a DiffOp. */
    class DiffOp {

        /**
         * Constructs a new DiffOp.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.DiffOp.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** DiffOp lower. */
        lower?: (pb.LowerDiffInput.$Properties|null);

        /** DiffOp upper. */
        upper?: (pb.UpperDiffInput.$Properties|null);

        /**
         * Encodes the specified DiffOp message. Does not implicitly {@link pb.DiffOp.verify|verify} messages.
         * @param message DiffOp message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.DiffOp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a DiffOp message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.DiffOp & pb.DiffOp.$Shape} DiffOp
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.DiffOp & pb.DiffOp.$Shape;
    }

    namespace DiffOp {

        /** Properties of a DiffOp. */
        interface $Properties {

            /** DiffOp lower */
            lower?: (pb.LowerDiffInput.$Properties|null);

            /** DiffOp upper */
            upper?: (pb.UpperDiffInput.$Properties|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a DiffOp. */
        type $Shape = pb.DiffOp.$Properties;
    }

    /**
     * Properties of a PassthroughOp.
     * @deprecated Use pb.PassthroughOp.$Properties instead.
     */
    interface IPassthroughOp extends pb.PassthroughOp.$Properties {
    }

    /** Represents a PassthroughOp. */
    class PassthroughOp {

        /**
         * Constructs a new PassthroughOp.
         * @param [properties] Properties to set
         */
        constructor(properties?: pb.PassthroughOp.$Properties);

        /** Unknown fields preserved while decoding when enabled */
        $unknowns?: Uint8Array[];

        /** PassthroughOp id. */
        id: string;

        /** PassthroughOp outputs. */
        outputs: (number|Long)[];

        /**
         * Encodes the specified PassthroughOp message. Does not implicitly {@link pb.PassthroughOp.verify|verify} messages.
         * @param message PassthroughOp message or plain object to encode
         * @param [writer] Writer to encode to
         * @returns Writer
         */
        static encode(message: pb.PassthroughOp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

        /**
         * Decodes a PassthroughOp message from the specified reader or buffer.
         * @param reader Reader or buffer to decode from
         * @param [length] Message length if known beforehand
         * @returns {pb.PassthroughOp & pb.PassthroughOp.$Shape} PassthroughOp
         * @throws {Error} If the payload is not a reader or valid buffer
         * @throws {$protobuf.util.ProtocolError} If required fields are missing
         */
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): pb.PassthroughOp & pb.PassthroughOp.$Shape;
    }

    namespace PassthroughOp {

        /** Properties of a PassthroughOp. */
        interface $Properties {

            /** PassthroughOp id */
            id?: (string|null);

            /** PassthroughOp outputs */
            outputs?: ((number|Long)[]|null);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];
        }

        /** Shape of a PassthroughOp. */
        type $Shape = pb.PassthroughOp.$Properties;
    }
}

/** Namespace google. */
export namespace google {

    /** Namespace rpc. */
    namespace rpc {

        /**
         * Properties of an Any.
         * @deprecated Use google.rpc.Any.$Properties instead.
         */
        interface IAny extends google.rpc.Any.$Properties {
        }

        /** Represents an Any. */
        class Any {

            /**
             * Constructs a new Any.
             * @param [properties] Properties to set
             */
            constructor(properties?: google.rpc.Any.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Any typeUrl. */
            typeUrl: string;

            /** Any value. */
            value: Uint8Array;

            /**
             * Encodes the specified Any message. Does not implicitly {@link google.rpc.Any.verify|verify} messages.
             * @param message Any message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: google.rpc.Any.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an Any message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {google.rpc.Any & google.rpc.Any.$Shape} Any
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): google.rpc.Any & google.rpc.Any.$Shape;
        }

        namespace Any {

            /** Properties of an Any. */
            interface $Properties {

                /** Any typeUrl */
                typeUrl?: (string|null);

                /** Any value */
                value?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an Any. */
            type $Shape = google.rpc.Any.$Properties;
        }

        /**
         * Properties of a Status.
         * @deprecated Use google.rpc.Status.$Properties instead.
         */
        interface IStatus extends google.rpc.Status.$Properties {
        }

        /** Represents a Status. */
        class Status {

            /**
             * Constructs a new Status.
             * @param [properties] Properties to set
             */
            constructor(properties?: google.rpc.Status.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Status code. */
            code: number;

            /** Status message. */
            message: string;

            /** Status details. */
            details: google.rpc.Any.$Properties[];

            /**
             * Encodes the specified Status message. Does not implicitly {@link google.rpc.Status.verify|verify} messages.
             * @param message Status message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: google.rpc.Status.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Status message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {google.rpc.Status & google.rpc.Status.$Shape} Status
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): google.rpc.Status & google.rpc.Status.$Shape;
        }

        namespace Status {

            /** Properties of a Status. */
            interface $Properties {

                /** Status code */
                code?: (number|null);

                /** Status message */
                message?: (string|null);

                /** Status details */
                details?: (google.rpc.Any.$Properties[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Status. */
            type $Shape = google.rpc.Status.$Properties;
        }
    }

    /** Namespace protobuf. */
    namespace protobuf {

        /**
         * Properties of a Timestamp.
         * @deprecated Use google.protobuf.Timestamp.$Properties instead.
         */
        interface ITimestamp extends google.protobuf.Timestamp.$Properties {
        }

        /** Represents a Timestamp. */
        class Timestamp {

            /**
             * Constructs a new Timestamp.
             * @param [properties] Properties to set
             */
            constructor(properties?: google.protobuf.Timestamp.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Timestamp seconds. */
            seconds: (number|Long);

            /** Timestamp nanos. */
            nanos: number;

            /**
             * Encodes the specified Timestamp message. Does not implicitly {@link google.protobuf.Timestamp.verify|verify} messages.
             * @param message Timestamp message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: google.protobuf.Timestamp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Timestamp message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {google.protobuf.Timestamp & google.protobuf.Timestamp.$Shape} Timestamp
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): google.protobuf.Timestamp & google.protobuf.Timestamp.$Shape;
        }

        namespace Timestamp {

            /** Properties of a Timestamp. */
            interface $Properties {

                /** Timestamp seconds */
                seconds?: (number|Long|null);

                /** Timestamp nanos */
                nanos?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Timestamp. */
            type $Shape = google.protobuf.Timestamp.$Properties;
        }

        /**
         * Properties of an Empty.
         * @deprecated Use google.protobuf.Empty.$Properties instead.
         */
        interface IEmpty extends google.protobuf.Empty.$Properties {
        }

        /** Represents an Empty. */
        class Empty {

            /**
             * Constructs a new Empty.
             * @param [properties] Properties to set
             */
            constructor(properties?: google.protobuf.Empty.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /**
             * Encodes the specified Empty message. Does not implicitly {@link google.protobuf.Empty.verify|verify} messages.
             * @param message Empty message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: google.protobuf.Empty.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an Empty message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {google.protobuf.Empty & google.protobuf.Empty.$Shape} Empty
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): google.protobuf.Empty & google.protobuf.Empty.$Shape;
        }

        namespace Empty {

            /** Properties of an Empty. */
            interface $Properties {

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an Empty. */
            type $Shape = google.protobuf.Empty.$Properties;
        }
    }
}

/** Namespace fsutil. */
export namespace fsutil {

    /** Namespace types. */
    namespace types {

        /**
         * Properties of a Stat.
         * @deprecated Use fsutil.types.Stat.$Properties instead.
         */
        interface IStat extends fsutil.types.Stat.$Properties {
        }

        /** Represents a Stat. */
        class Stat {

            /**
             * Constructs a new Stat.
             * @param [properties] Properties to set
             */
            constructor(properties?: fsutil.types.Stat.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Stat path. */
            path: Uint8Array;

            /** Stat mode. */
            mode: number;

            /** Stat uid. */
            uid: number;

            /** Stat gid. */
            gid: number;

            /** Stat size. */
            size: (number|Long);

            /** Stat modTime. */
            modTime: (number|Long);

            /** Stat linkname. */
            linkname: Uint8Array;

            /** Stat devmajor. */
            devmajor: (number|Long);

            /** Stat devminor. */
            devminor: (number|Long);

            /** Stat xattrs. */
            xattrs: { [k: string]: Uint8Array };

            /**
             * Encodes the specified Stat message. Does not implicitly {@link fsutil.types.Stat.verify|verify} messages.
             * @param message Stat message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: fsutil.types.Stat.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Stat message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {fsutil.types.Stat & fsutil.types.Stat.$Shape} Stat
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): fsutil.types.Stat & fsutil.types.Stat.$Shape;
        }

        namespace Stat {

            /** Properties of a Stat. */
            interface $Properties {

                /** Stat path */
                path?: (Uint8Array|null);

                /** Stat mode */
                mode?: (number|null);

                /** Stat uid */
                uid?: (number|null);

                /** Stat gid */
                gid?: (number|null);

                /** Stat size */
                size?: (number|Long|null);

                /** Stat modTime */
                modTime?: (number|Long|null);

                /** Stat linkname */
                linkname?: (Uint8Array|null);

                /** Stat devmajor */
                devmajor?: (number|Long|null);

                /** Stat devminor */
                devminor?: (number|Long|null);

                /** Stat xattrs */
                xattrs?: ({ [k: string]: Uint8Array }|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Stat. */
            type $Shape = fsutil.types.Stat.$Properties;
        }

        /**
         * Properties of a Packet.
         * @deprecated Use fsutil.types.Packet.$Properties instead.
         */
        interface IPacket extends fsutil.types.Packet.$Properties {
        }

        /** Represents a Packet. */
        class Packet {

            /**
             * Constructs a new Packet.
             * @param [properties] Properties to set
             */
            constructor(properties?: fsutil.types.Packet.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Packet type. */
            type: fsutil.types.Packet.PacketType;

            /** Packet stat. */
            stat?: (fsutil.types.Stat.$Properties|null);

            /** Packet id. */
            id: number;

            /** Packet data. */
            data: Uint8Array;

            /**
             * Encodes the specified Packet message. Does not implicitly {@link fsutil.types.Packet.verify|verify} messages.
             * @param message Packet message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: fsutil.types.Packet.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Packet message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {fsutil.types.Packet & fsutil.types.Packet.$Shape} Packet
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): fsutil.types.Packet & fsutil.types.Packet.$Shape;
        }

        namespace Packet {

            /** Properties of a Packet. */
            interface $Properties {

                /** Packet type */
                type?: (fsutil.types.Packet.PacketType|null);

                /** Packet stat */
                stat?: (fsutil.types.Stat.$Properties|null);

                /** Packet id */
                id?: (number|null);

                /** Packet data */
                data?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Packet. */
            type $Shape = fsutil.types.Packet.$Properties;

            /** PacketType enum. */
            enum PacketType {

                /** PACKET_STAT value */
                PACKET_STAT = 0,

                /** PACKET_REQ value */
                PACKET_REQ = 1,

                /** PACKET_DATA value */
                PACKET_DATA = 2,

                /** PACKET_FIN value */
                PACKET_FIN = 3,

                /** PACKET_ERR value */
                PACKET_ERR = 4
            }
        }
    }
}

/** Namespace grpc. */
export namespace grpc {

    /** Namespace health. */
    namespace health {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a HealthCheckRequest.
             * @deprecated Use grpc.health.v1.HealthCheckRequest.$Properties instead.
             */
            interface IHealthCheckRequest extends grpc.health.v1.HealthCheckRequest.$Properties {
            }

            /** Represents a HealthCheckRequest. */
            class HealthCheckRequest {

                /**
                 * Constructs a new HealthCheckRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: grpc.health.v1.HealthCheckRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** HealthCheckRequest service. */
                service: string;

                /**
                 * Encodes the specified HealthCheckRequest message. Does not implicitly {@link grpc.health.v1.HealthCheckRequest.verify|verify} messages.
                 * @param message HealthCheckRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: grpc.health.v1.HealthCheckRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a HealthCheckRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {grpc.health.v1.HealthCheckRequest & grpc.health.v1.HealthCheckRequest.$Shape} HealthCheckRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): grpc.health.v1.HealthCheckRequest & grpc.health.v1.HealthCheckRequest.$Shape;
            }

            namespace HealthCheckRequest {

                /** Properties of a HealthCheckRequest. */
                interface $Properties {

                    /** HealthCheckRequest service */
                    service?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a HealthCheckRequest. */
                type $Shape = grpc.health.v1.HealthCheckRequest.$Properties;
            }

            /**
             * Properties of a HealthCheckResponse.
             * @deprecated Use grpc.health.v1.HealthCheckResponse.$Properties instead.
             */
            interface IHealthCheckResponse extends grpc.health.v1.HealthCheckResponse.$Properties {
            }

            /** Represents a HealthCheckResponse. */
            class HealthCheckResponse {

                /**
                 * Constructs a new HealthCheckResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: grpc.health.v1.HealthCheckResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** HealthCheckResponse status. */
                status: grpc.health.v1.HealthCheckResponse.ServingStatus;

                /**
                 * Encodes the specified HealthCheckResponse message. Does not implicitly {@link grpc.health.v1.HealthCheckResponse.verify|verify} messages.
                 * @param message HealthCheckResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: grpc.health.v1.HealthCheckResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a HealthCheckResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {grpc.health.v1.HealthCheckResponse & grpc.health.v1.HealthCheckResponse.$Shape} HealthCheckResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): grpc.health.v1.HealthCheckResponse & grpc.health.v1.HealthCheckResponse.$Shape;
            }

            namespace HealthCheckResponse {

                /** Properties of a HealthCheckResponse. */
                interface $Properties {

                    /** HealthCheckResponse status */
                    status?: (grpc.health.v1.HealthCheckResponse.ServingStatus|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a HealthCheckResponse. */
                type $Shape = grpc.health.v1.HealthCheckResponse.$Properties;

                /** ServingStatus enum. */
                enum ServingStatus {

                    /** UNKNOWN value */
                    UNKNOWN = 0,

                    /** SERVING value */
                    SERVING = 1,

                    /** NOT_SERVING value */
                    NOT_SERVING = 2,

                    /** SERVICE_UNKNOWN value */
                    SERVICE_UNKNOWN = 3
                }
            }
        }
    }
}

/** Namespace containerd. */
export namespace containerd {

    /** Namespace services. */
    namespace services {

        /** Namespace content. */
        namespace content {

            /** Namespace v1. */
            namespace v1 {

                /**
                 * Properties of an Info.
                 * @deprecated Use containerd.services.content.v1.Info.$Properties instead.
                 */
                interface IInfo extends containerd.services.content.v1.Info.$Properties {
                }

                /** Represents an Info. */
                class Info {

                    /**
                     * Constructs a new Info.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.Info.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Info digest. */
                    digest: string;

                    /** Info size. */
                    size: (number|Long);

                    /** Info createdAt. */
                    createdAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** Info updatedAt. */
                    updatedAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** Info labels. */
                    labels: { [k: string]: string };

                    /**
                     * Encodes the specified Info message. Does not implicitly {@link containerd.services.content.v1.Info.verify|verify} messages.
                     * @param message Info message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.Info.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an Info message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.Info & containerd.services.content.v1.Info.$Shape} Info
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.Info & containerd.services.content.v1.Info.$Shape;
                }

                namespace Info {

                    /** Properties of an Info. */
                    interface $Properties {

                        /** Info digest */
                        digest?: (string|null);

                        /** Info size */
                        size?: (number|Long|null);

                        /** Info createdAt */
                        createdAt?: (google.protobuf.Timestamp.$Properties|null);

                        /** Info updatedAt */
                        updatedAt?: (google.protobuf.Timestamp.$Properties|null);

                        /** Info labels */
                        labels?: ({ [k: string]: string }|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an Info. */
                    type $Shape = containerd.services.content.v1.Info.$Properties;
                }

                /**
                 * Properties of an InfoRequest.
                 * @deprecated Use containerd.services.content.v1.InfoRequest.$Properties instead.
                 */
                interface IInfoRequest extends containerd.services.content.v1.InfoRequest.$Properties {
                }

                /** Represents an InfoRequest. */
                class InfoRequest {

                    /**
                     * Constructs a new InfoRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.InfoRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** InfoRequest digest. */
                    digest: string;

                    /**
                     * Encodes the specified InfoRequest message. Does not implicitly {@link containerd.services.content.v1.InfoRequest.verify|verify} messages.
                     * @param message InfoRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.InfoRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an InfoRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.InfoRequest & containerd.services.content.v1.InfoRequest.$Shape} InfoRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.InfoRequest & containerd.services.content.v1.InfoRequest.$Shape;
                }

                namespace InfoRequest {

                    /** Properties of an InfoRequest. */
                    interface $Properties {

                        /** InfoRequest digest */
                        digest?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an InfoRequest. */
                    type $Shape = containerd.services.content.v1.InfoRequest.$Properties;
                }

                /**
                 * Properties of an InfoResponse.
                 * @deprecated Use containerd.services.content.v1.InfoResponse.$Properties instead.
                 */
                interface IInfoResponse extends containerd.services.content.v1.InfoResponse.$Properties {
                }

                /** Represents an InfoResponse. */
                class InfoResponse {

                    /**
                     * Constructs a new InfoResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.InfoResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** InfoResponse info. */
                    info?: (containerd.services.content.v1.Info.$Properties|null);

                    /**
                     * Encodes the specified InfoResponse message. Does not implicitly {@link containerd.services.content.v1.InfoResponse.verify|verify} messages.
                     * @param message InfoResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.InfoResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an InfoResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.InfoResponse & containerd.services.content.v1.InfoResponse.$Shape} InfoResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.InfoResponse & containerd.services.content.v1.InfoResponse.$Shape;
                }

                namespace InfoResponse {

                    /** Properties of an InfoResponse. */
                    interface $Properties {

                        /** InfoResponse info */
                        info?: (containerd.services.content.v1.Info.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an InfoResponse. */
                    type $Shape = containerd.services.content.v1.InfoResponse.$Properties;
                }

                /**
                 * Properties of a FieldMask.
                 * @deprecated Use containerd.services.content.v1.FieldMask.$Properties instead.
                 */
                interface IFieldMask extends containerd.services.content.v1.FieldMask.$Properties {
                }

                /** Represents a FieldMask. */
                class FieldMask {

                    /**
                     * Constructs a new FieldMask.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.FieldMask.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** FieldMask paths. */
                    paths: string[];

                    /**
                     * Encodes the specified FieldMask message. Does not implicitly {@link containerd.services.content.v1.FieldMask.verify|verify} messages.
                     * @param message FieldMask message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.FieldMask.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a FieldMask message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.FieldMask & containerd.services.content.v1.FieldMask.$Shape} FieldMask
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.FieldMask & containerd.services.content.v1.FieldMask.$Shape;
                }

                namespace FieldMask {

                    /** Properties of a FieldMask. */
                    interface $Properties {

                        /** FieldMask paths */
                        paths?: (string[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a FieldMask. */
                    type $Shape = containerd.services.content.v1.FieldMask.$Properties;
                }

                /**
                 * Properties of an UpdateRequest.
                 * @deprecated Use containerd.services.content.v1.UpdateRequest.$Properties instead.
                 */
                interface IUpdateRequest extends containerd.services.content.v1.UpdateRequest.$Properties {
                }

                /** Represents an UpdateRequest. */
                class UpdateRequest {

                    /**
                     * Constructs a new UpdateRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.UpdateRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** UpdateRequest info. */
                    info?: (containerd.services.content.v1.Info.$Properties|null);

                    /** UpdateRequest updateMask. */
                    updateMask?: (containerd.services.content.v1.FieldMask.$Properties|null);

                    /**
                     * Encodes the specified UpdateRequest message. Does not implicitly {@link containerd.services.content.v1.UpdateRequest.verify|verify} messages.
                     * @param message UpdateRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.UpdateRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an UpdateRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.UpdateRequest & containerd.services.content.v1.UpdateRequest.$Shape} UpdateRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.UpdateRequest & containerd.services.content.v1.UpdateRequest.$Shape;
                }

                namespace UpdateRequest {

                    /** Properties of an UpdateRequest. */
                    interface $Properties {

                        /** UpdateRequest info */
                        info?: (containerd.services.content.v1.Info.$Properties|null);

                        /** UpdateRequest updateMask */
                        updateMask?: (containerd.services.content.v1.FieldMask.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an UpdateRequest. */
                    type $Shape = containerd.services.content.v1.UpdateRequest.$Properties;
                }

                /**
                 * Properties of an UpdateResponse.
                 * @deprecated Use containerd.services.content.v1.UpdateResponse.$Properties instead.
                 */
                interface IUpdateResponse extends containerd.services.content.v1.UpdateResponse.$Properties {
                }

                /** Represents an UpdateResponse. */
                class UpdateResponse {

                    /**
                     * Constructs a new UpdateResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.UpdateResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** UpdateResponse info. */
                    info?: (containerd.services.content.v1.Info.$Properties|null);

                    /**
                     * Encodes the specified UpdateResponse message. Does not implicitly {@link containerd.services.content.v1.UpdateResponse.verify|verify} messages.
                     * @param message UpdateResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.UpdateResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an UpdateResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.UpdateResponse & containerd.services.content.v1.UpdateResponse.$Shape} UpdateResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.UpdateResponse & containerd.services.content.v1.UpdateResponse.$Shape;
                }

                namespace UpdateResponse {

                    /** Properties of an UpdateResponse. */
                    interface $Properties {

                        /** UpdateResponse info */
                        info?: (containerd.services.content.v1.Info.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an UpdateResponse. */
                    type $Shape = containerd.services.content.v1.UpdateResponse.$Properties;
                }

                /**
                 * Properties of a ListContentRequest.
                 * @deprecated Use containerd.services.content.v1.ListContentRequest.$Properties instead.
                 */
                interface IListContentRequest extends containerd.services.content.v1.ListContentRequest.$Properties {
                }

                /** Represents a ListContentRequest. */
                class ListContentRequest {

                    /**
                     * Constructs a new ListContentRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.ListContentRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ListContentRequest filters. */
                    filters: string[];

                    /**
                     * Encodes the specified ListContentRequest message. Does not implicitly {@link containerd.services.content.v1.ListContentRequest.verify|verify} messages.
                     * @param message ListContentRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.ListContentRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ListContentRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.ListContentRequest & containerd.services.content.v1.ListContentRequest.$Shape} ListContentRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.ListContentRequest & containerd.services.content.v1.ListContentRequest.$Shape;
                }

                namespace ListContentRequest {

                    /** Properties of a ListContentRequest. */
                    interface $Properties {

                        /** ListContentRequest filters */
                        filters?: (string[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ListContentRequest. */
                    type $Shape = containerd.services.content.v1.ListContentRequest.$Properties;
                }

                /**
                 * Properties of a ListContentResponse.
                 * @deprecated Use containerd.services.content.v1.ListContentResponse.$Properties instead.
                 */
                interface IListContentResponse extends containerd.services.content.v1.ListContentResponse.$Properties {
                }

                /** Represents a ListContentResponse. */
                class ListContentResponse {

                    /**
                     * Constructs a new ListContentResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.ListContentResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ListContentResponse info. */
                    info: containerd.services.content.v1.Info.$Properties[];

                    /**
                     * Encodes the specified ListContentResponse message. Does not implicitly {@link containerd.services.content.v1.ListContentResponse.verify|verify} messages.
                     * @param message ListContentResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.ListContentResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ListContentResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.ListContentResponse & containerd.services.content.v1.ListContentResponse.$Shape} ListContentResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.ListContentResponse & containerd.services.content.v1.ListContentResponse.$Shape;
                }

                namespace ListContentResponse {

                    /** Properties of a ListContentResponse. */
                    interface $Properties {

                        /** ListContentResponse info */
                        info?: (containerd.services.content.v1.Info.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ListContentResponse. */
                    type $Shape = containerd.services.content.v1.ListContentResponse.$Properties;
                }

                /**
                 * Properties of a DeleteContentRequest.
                 * @deprecated Use containerd.services.content.v1.DeleteContentRequest.$Properties instead.
                 */
                interface IDeleteContentRequest extends containerd.services.content.v1.DeleteContentRequest.$Properties {
                }

                /** Represents a DeleteContentRequest. */
                class DeleteContentRequest {

                    /**
                     * Constructs a new DeleteContentRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.DeleteContentRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** DeleteContentRequest digest. */
                    digest: string;

                    /**
                     * Encodes the specified DeleteContentRequest message. Does not implicitly {@link containerd.services.content.v1.DeleteContentRequest.verify|verify} messages.
                     * @param message DeleteContentRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.DeleteContentRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a DeleteContentRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.DeleteContentRequest & containerd.services.content.v1.DeleteContentRequest.$Shape} DeleteContentRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.DeleteContentRequest & containerd.services.content.v1.DeleteContentRequest.$Shape;
                }

                namespace DeleteContentRequest {

                    /** Properties of a DeleteContentRequest. */
                    interface $Properties {

                        /** DeleteContentRequest digest */
                        digest?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a DeleteContentRequest. */
                    type $Shape = containerd.services.content.v1.DeleteContentRequest.$Properties;
                }

                /**
                 * Properties of a ReadContentRequest.
                 * @deprecated Use containerd.services.content.v1.ReadContentRequest.$Properties instead.
                 */
                interface IReadContentRequest extends containerd.services.content.v1.ReadContentRequest.$Properties {
                }

                /** Represents a ReadContentRequest. */
                class ReadContentRequest {

                    /**
                     * Constructs a new ReadContentRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.ReadContentRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ReadContentRequest digest. */
                    digest: string;

                    /** ReadContentRequest offset. */
                    offset: (number|Long);

                    /** ReadContentRequest size. */
                    size: (number|Long);

                    /**
                     * Encodes the specified ReadContentRequest message. Does not implicitly {@link containerd.services.content.v1.ReadContentRequest.verify|verify} messages.
                     * @param message ReadContentRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.ReadContentRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ReadContentRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.ReadContentRequest & containerd.services.content.v1.ReadContentRequest.$Shape} ReadContentRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.ReadContentRequest & containerd.services.content.v1.ReadContentRequest.$Shape;
                }

                namespace ReadContentRequest {

                    /** Properties of a ReadContentRequest. */
                    interface $Properties {

                        /** ReadContentRequest digest */
                        digest?: (string|null);

                        /** ReadContentRequest offset */
                        offset?: (number|Long|null);

                        /** ReadContentRequest size */
                        size?: (number|Long|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ReadContentRequest. */
                    type $Shape = containerd.services.content.v1.ReadContentRequest.$Properties;
                }

                /**
                 * Properties of a ReadContentResponse.
                 * @deprecated Use containerd.services.content.v1.ReadContentResponse.$Properties instead.
                 */
                interface IReadContentResponse extends containerd.services.content.v1.ReadContentResponse.$Properties {
                }

                /** Represents a ReadContentResponse. */
                class ReadContentResponse {

                    /**
                     * Constructs a new ReadContentResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.ReadContentResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ReadContentResponse offset. */
                    offset: (number|Long);

                    /** ReadContentResponse data. */
                    data: Uint8Array;

                    /**
                     * Encodes the specified ReadContentResponse message. Does not implicitly {@link containerd.services.content.v1.ReadContentResponse.verify|verify} messages.
                     * @param message ReadContentResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.ReadContentResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ReadContentResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.ReadContentResponse & containerd.services.content.v1.ReadContentResponse.$Shape} ReadContentResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.ReadContentResponse & containerd.services.content.v1.ReadContentResponse.$Shape;
                }

                namespace ReadContentResponse {

                    /** Properties of a ReadContentResponse. */
                    interface $Properties {

                        /** ReadContentResponse offset */
                        offset?: (number|Long|null);

                        /** ReadContentResponse data */
                        data?: (Uint8Array|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ReadContentResponse. */
                    type $Shape = containerd.services.content.v1.ReadContentResponse.$Properties;
                }

                /**
                 * Properties of a Status.
                 * @deprecated Use containerd.services.content.v1.Status.$Properties instead.
                 */
                interface IStatus extends containerd.services.content.v1.Status.$Properties {
                }

                /** Represents a Status. */
                class Status {

                    /**
                     * Constructs a new Status.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.Status.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** Status startedAt. */
                    startedAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** Status updatedAt. */
                    updatedAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** Status ref. */
                    ref: string;

                    /** Status offset. */
                    offset: (number|Long);

                    /** Status total. */
                    total: (number|Long);

                    /** Status expected. */
                    expected: string;

                    /**
                     * Encodes the specified Status message. Does not implicitly {@link containerd.services.content.v1.Status.verify|verify} messages.
                     * @param message Status message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.Status.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a Status message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.Status & containerd.services.content.v1.Status.$Shape} Status
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.Status & containerd.services.content.v1.Status.$Shape;
                }

                namespace Status {

                    /** Properties of a Status. */
                    interface $Properties {

                        /** Status startedAt */
                        startedAt?: (google.protobuf.Timestamp.$Properties|null);

                        /** Status updatedAt */
                        updatedAt?: (google.protobuf.Timestamp.$Properties|null);

                        /** Status ref */
                        ref?: (string|null);

                        /** Status offset */
                        offset?: (number|Long|null);

                        /** Status total */
                        total?: (number|Long|null);

                        /** Status expected */
                        expected?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a Status. */
                    type $Shape = containerd.services.content.v1.Status.$Properties;
                }

                /**
                 * Properties of a StatusRequest.
                 * @deprecated Use containerd.services.content.v1.StatusRequest.$Properties instead.
                 */
                interface IStatusRequest extends containerd.services.content.v1.StatusRequest.$Properties {
                }

                /** Represents a StatusRequest. */
                class StatusRequest {

                    /**
                     * Constructs a new StatusRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.StatusRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** StatusRequest ref. */
                    ref: string;

                    /**
                     * Encodes the specified StatusRequest message. Does not implicitly {@link containerd.services.content.v1.StatusRequest.verify|verify} messages.
                     * @param message StatusRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.StatusRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a StatusRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.StatusRequest & containerd.services.content.v1.StatusRequest.$Shape} StatusRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.StatusRequest & containerd.services.content.v1.StatusRequest.$Shape;
                }

                namespace StatusRequest {

                    /** Properties of a StatusRequest. */
                    interface $Properties {

                        /** StatusRequest ref */
                        ref?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a StatusRequest. */
                    type $Shape = containerd.services.content.v1.StatusRequest.$Properties;
                }

                /**
                 * Properties of a StatusResponse.
                 * @deprecated Use containerd.services.content.v1.StatusResponse.$Properties instead.
                 */
                interface IStatusResponse extends containerd.services.content.v1.StatusResponse.$Properties {
                }

                /** Represents a StatusResponse. */
                class StatusResponse {

                    /**
                     * Constructs a new StatusResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.StatusResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** StatusResponse status. */
                    status?: (containerd.services.content.v1.Status.$Properties|null);

                    /**
                     * Encodes the specified StatusResponse message. Does not implicitly {@link containerd.services.content.v1.StatusResponse.verify|verify} messages.
                     * @param message StatusResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.StatusResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a StatusResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.StatusResponse & containerd.services.content.v1.StatusResponse.$Shape} StatusResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.StatusResponse & containerd.services.content.v1.StatusResponse.$Shape;
                }

                namespace StatusResponse {

                    /** Properties of a StatusResponse. */
                    interface $Properties {

                        /** StatusResponse status */
                        status?: (containerd.services.content.v1.Status.$Properties|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a StatusResponse. */
                    type $Shape = containerd.services.content.v1.StatusResponse.$Properties;
                }

                /**
                 * Properties of a ListStatusesRequest.
                 * @deprecated Use containerd.services.content.v1.ListStatusesRequest.$Properties instead.
                 */
                interface IListStatusesRequest extends containerd.services.content.v1.ListStatusesRequest.$Properties {
                }

                /** Represents a ListStatusesRequest. */
                class ListStatusesRequest {

                    /**
                     * Constructs a new ListStatusesRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.ListStatusesRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ListStatusesRequest filters. */
                    filters: string[];

                    /**
                     * Encodes the specified ListStatusesRequest message. Does not implicitly {@link containerd.services.content.v1.ListStatusesRequest.verify|verify} messages.
                     * @param message ListStatusesRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.ListStatusesRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ListStatusesRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.ListStatusesRequest & containerd.services.content.v1.ListStatusesRequest.$Shape} ListStatusesRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.ListStatusesRequest & containerd.services.content.v1.ListStatusesRequest.$Shape;
                }

                namespace ListStatusesRequest {

                    /** Properties of a ListStatusesRequest. */
                    interface $Properties {

                        /** ListStatusesRequest filters */
                        filters?: (string[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ListStatusesRequest. */
                    type $Shape = containerd.services.content.v1.ListStatusesRequest.$Properties;
                }

                /**
                 * Properties of a ListStatusesResponse.
                 * @deprecated Use containerd.services.content.v1.ListStatusesResponse.$Properties instead.
                 */
                interface IListStatusesResponse extends containerd.services.content.v1.ListStatusesResponse.$Properties {
                }

                /** Represents a ListStatusesResponse. */
                class ListStatusesResponse {

                    /**
                     * Constructs a new ListStatusesResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.ListStatusesResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** ListStatusesResponse statuses. */
                    statuses: containerd.services.content.v1.Status.$Properties[];

                    /**
                     * Encodes the specified ListStatusesResponse message. Does not implicitly {@link containerd.services.content.v1.ListStatusesResponse.verify|verify} messages.
                     * @param message ListStatusesResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.ListStatusesResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a ListStatusesResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.ListStatusesResponse & containerd.services.content.v1.ListStatusesResponse.$Shape} ListStatusesResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.ListStatusesResponse & containerd.services.content.v1.ListStatusesResponse.$Shape;
                }

                namespace ListStatusesResponse {

                    /** Properties of a ListStatusesResponse. */
                    interface $Properties {

                        /** ListStatusesResponse statuses */
                        statuses?: (containerd.services.content.v1.Status.$Properties[]|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a ListStatusesResponse. */
                    type $Shape = containerd.services.content.v1.ListStatusesResponse.$Properties;
                }

                /** WriteAction enum. */
                enum WriteAction {

                    /** STAT value */
                    STAT = 0,

                    /** WRITE value */
                    WRITE = 1,

                    /** COMMIT value */
                    COMMIT = 2
                }

                /**
                 * Properties of a WriteContentRequest.
                 * @deprecated Use containerd.services.content.v1.WriteContentRequest.$Properties instead.
                 */
                interface IWriteContentRequest extends containerd.services.content.v1.WriteContentRequest.$Properties {
                }

                /** Represents a WriteContentRequest. */
                class WriteContentRequest {

                    /**
                     * Constructs a new WriteContentRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.WriteContentRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** WriteContentRequest action. */
                    action: containerd.services.content.v1.WriteAction;

                    /** WriteContentRequest ref. */
                    ref: string;

                    /** WriteContentRequest total. */
                    total: (number|Long);

                    /** WriteContentRequest expected. */
                    expected: string;

                    /** WriteContentRequest offset. */
                    offset: (number|Long);

                    /** WriteContentRequest data. */
                    data: Uint8Array;

                    /** WriteContentRequest labels. */
                    labels: { [k: string]: string };

                    /**
                     * Encodes the specified WriteContentRequest message. Does not implicitly {@link containerd.services.content.v1.WriteContentRequest.verify|verify} messages.
                     * @param message WriteContentRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.WriteContentRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a WriteContentRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.WriteContentRequest & containerd.services.content.v1.WriteContentRequest.$Shape} WriteContentRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.WriteContentRequest & containerd.services.content.v1.WriteContentRequest.$Shape;
                }

                namespace WriteContentRequest {

                    /** Properties of a WriteContentRequest. */
                    interface $Properties {

                        /** WriteContentRequest action */
                        action?: (containerd.services.content.v1.WriteAction|null);

                        /** WriteContentRequest ref */
                        ref?: (string|null);

                        /** WriteContentRequest total */
                        total?: (number|Long|null);

                        /** WriteContentRequest expected */
                        expected?: (string|null);

                        /** WriteContentRequest offset */
                        offset?: (number|Long|null);

                        /** WriteContentRequest data */
                        data?: (Uint8Array|null);

                        /** WriteContentRequest labels */
                        labels?: ({ [k: string]: string }|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a WriteContentRequest. */
                    type $Shape = containerd.services.content.v1.WriteContentRequest.$Properties;
                }

                /**
                 * Properties of a WriteContentResponse.
                 * @deprecated Use containerd.services.content.v1.WriteContentResponse.$Properties instead.
                 */
                interface IWriteContentResponse extends containerd.services.content.v1.WriteContentResponse.$Properties {
                }

                /** Represents a WriteContentResponse. */
                class WriteContentResponse {

                    /**
                     * Constructs a new WriteContentResponse.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.WriteContentResponse.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** WriteContentResponse action. */
                    action: containerd.services.content.v1.WriteAction;

                    /** WriteContentResponse startedAt. */
                    startedAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** WriteContentResponse updatedAt. */
                    updatedAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** WriteContentResponse offset. */
                    offset: (number|Long);

                    /** WriteContentResponse total. */
                    total: (number|Long);

                    /** WriteContentResponse digest. */
                    digest: string;

                    /**
                     * Encodes the specified WriteContentResponse message. Does not implicitly {@link containerd.services.content.v1.WriteContentResponse.verify|verify} messages.
                     * @param message WriteContentResponse message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.WriteContentResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes a WriteContentResponse message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.WriteContentResponse & containerd.services.content.v1.WriteContentResponse.$Shape} WriteContentResponse
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.WriteContentResponse & containerd.services.content.v1.WriteContentResponse.$Shape;
                }

                namespace WriteContentResponse {

                    /** Properties of a WriteContentResponse. */
                    interface $Properties {

                        /** WriteContentResponse action */
                        action?: (containerd.services.content.v1.WriteAction|null);

                        /** WriteContentResponse startedAt */
                        startedAt?: (google.protobuf.Timestamp.$Properties|null);

                        /** WriteContentResponse updatedAt */
                        updatedAt?: (google.protobuf.Timestamp.$Properties|null);

                        /** WriteContentResponse offset */
                        offset?: (number|Long|null);

                        /** WriteContentResponse total */
                        total?: (number|Long|null);

                        /** WriteContentResponse digest */
                        digest?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of a WriteContentResponse. */
                    type $Shape = containerd.services.content.v1.WriteContentResponse.$Properties;
                }

                /**
                 * Properties of an AbortRequest.
                 * @deprecated Use containerd.services.content.v1.AbortRequest.$Properties instead.
                 */
                interface IAbortRequest extends containerd.services.content.v1.AbortRequest.$Properties {
                }

                /** Represents an AbortRequest. */
                class AbortRequest {

                    /**
                     * Constructs a new AbortRequest.
                     * @param [properties] Properties to set
                     */
                    constructor(properties?: containerd.services.content.v1.AbortRequest.$Properties);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];

                    /** AbortRequest ref. */
                    ref: string;

                    /**
                     * Encodes the specified AbortRequest message. Does not implicitly {@link containerd.services.content.v1.AbortRequest.verify|verify} messages.
                     * @param message AbortRequest message or plain object to encode
                     * @param [writer] Writer to encode to
                     * @returns Writer
                     */
                    static encode(message: containerd.services.content.v1.AbortRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                    /**
                     * Decodes an AbortRequest message from the specified reader or buffer.
                     * @param reader Reader or buffer to decode from
                     * @param [length] Message length if known beforehand
                     * @returns {containerd.services.content.v1.AbortRequest & containerd.services.content.v1.AbortRequest.$Shape} AbortRequest
                     * @throws {Error} If the payload is not a reader or valid buffer
                     * @throws {$protobuf.util.ProtocolError} If required fields are missing
                     */
                    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): containerd.services.content.v1.AbortRequest & containerd.services.content.v1.AbortRequest.$Shape;
                }

                namespace AbortRequest {

                    /** Properties of an AbortRequest. */
                    interface $Properties {

                        /** AbortRequest ref */
                        ref?: (string|null);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];
                    }

                    /** Shape of an AbortRequest. */
                    type $Shape = containerd.services.content.v1.AbortRequest.$Properties;
                }
            }
        }
    }
}

/** Namespace opentelemetry. */
export namespace opentelemetry {

    /** Namespace proto. */
    namespace proto {

        /** Namespace collector. */
        namespace collector {

            /** Namespace trace. */
            namespace trace {

                /** Namespace v1. */
                namespace v1 {

                    /**
                     * Properties of an ExportTraceServiceRequest.
                     * @deprecated Use opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.$Properties instead.
                     */
                    interface IExportTraceServiceRequest extends opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.$Properties {
                    }

                    /** Represents an ExportTraceServiceRequest. */
                    class ExportTraceServiceRequest {

                        /**
                         * Constructs a new ExportTraceServiceRequest.
                         * @param [properties] Properties to set
                         */
                        constructor(properties?: opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.$Properties);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];

                        /** ExportTraceServiceRequest resourceSpans. */
                        resourceSpans: Uint8Array[];

                        /**
                         * Encodes the specified ExportTraceServiceRequest message. Does not implicitly {@link opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.verify|verify} messages.
                         * @param message ExportTraceServiceRequest message or plain object to encode
                         * @param [writer] Writer to encode to
                         * @returns Writer
                         */
                        static encode(message: opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                        /**
                         * Decodes an ExportTraceServiceRequest message from the specified reader or buffer.
                         * @param reader Reader or buffer to decode from
                         * @param [length] Message length if known beforehand
                         * @returns {opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest & opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.$Shape} ExportTraceServiceRequest
                         * @throws {Error} If the payload is not a reader or valid buffer
                         * @throws {$protobuf.util.ProtocolError} If required fields are missing
                         */
                        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest & opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.$Shape;
                    }

                    namespace ExportTraceServiceRequest {

                        /** Properties of an ExportTraceServiceRequest. */
                        interface $Properties {

                            /** ExportTraceServiceRequest resourceSpans */
                            resourceSpans?: (Uint8Array[]|null);

                            /** Unknown fields preserved while decoding when enabled */
                            $unknowns?: Uint8Array[];
                        }

                        /** Shape of an ExportTraceServiceRequest. */
                        type $Shape = opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.$Properties;
                    }

                    /**
                     * Properties of an ExportTraceServiceResponse.
                     * @deprecated Use opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse.$Properties instead.
                     */
                    interface IExportTraceServiceResponse extends opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse.$Properties {
                    }

                    /** Represents an ExportTraceServiceResponse. */
                    class ExportTraceServiceResponse {

                        /**
                         * Constructs a new ExportTraceServiceResponse.
                         * @param [properties] Properties to set
                         */
                        constructor(properties?: opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse.$Properties);

                        /** Unknown fields preserved while decoding when enabled */
                        $unknowns?: Uint8Array[];

                        /**
                         * Encodes the specified ExportTraceServiceResponse message. Does not implicitly {@link opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse.verify|verify} messages.
                         * @param message ExportTraceServiceResponse message or plain object to encode
                         * @param [writer] Writer to encode to
                         * @returns Writer
                         */
                        static encode(message: opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                        /**
                         * Decodes an ExportTraceServiceResponse message from the specified reader or buffer.
                         * @param reader Reader or buffer to decode from
                         * @param [length] Message length if known beforehand
                         * @returns {opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse & opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse.$Shape} ExportTraceServiceResponse
                         * @throws {Error} If the payload is not a reader or valid buffer
                         * @throws {$protobuf.util.ProtocolError} If required fields are missing
                         */
                        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse & opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse.$Shape;
                    }

                    namespace ExportTraceServiceResponse {

                        /** Properties of an ExportTraceServiceResponse. */
                        interface $Properties {

                            /** Unknown fields preserved while decoding when enabled */
                            $unknowns?: Uint8Array[];
                        }

                        /** Shape of an ExportTraceServiceResponse. */
                        type $Shape = opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse.$Properties;
                    }
                }
            }
        }
    }
}

/** Namespace slipway. */
export namespace slipway {

    /** Namespace builder. */
    namespace builder {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a SolveId.
             * @deprecated Use slipway.builder.v1.SolveId.$Properties instead.
             */
            interface ISolveId extends slipway.builder.v1.SolveId.$Properties {
            }

            /** Represents a SolveId. */
            class SolveId {

                /**
                 * Constructs a new SolveId.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.SolveId.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** SolveId runUid. */
                runUid: string;

                /** SolveId attempt. */
                attempt: number;

                /** SolveId part. */
                part: string;

                /**
                 * Encodes the specified SolveId message. Does not implicitly {@link slipway.builder.v1.SolveId.verify|verify} messages.
                 * @param message SolveId message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.SolveId.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a SolveId message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.SolveId & slipway.builder.v1.SolveId.$Shape} SolveId
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.SolveId & slipway.builder.v1.SolveId.$Shape;
            }

            namespace SolveId {

                /** Properties of a SolveId. */
                interface $Properties {

                    /** SolveId runUid */
                    runUid?: (string|null);

                    /** SolveId attempt */
                    attempt?: (number|null);

                    /** SolveId part */
                    part?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a SolveId. */
                type $Shape = slipway.builder.v1.SolveId.$Properties;
            }

            /**
             * Properties of a StartRequest.
             * @deprecated Use slipway.builder.v1.StartRequest.$Properties instead.
             */
            interface IStartRequest extends slipway.builder.v1.StartRequest.$Properties {
            }

            /** Represents a StartRequest. */
            class StartRequest {

                /**
                 * Constructs a new StartRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.StartRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** StartRequest id. */
                id?: (slipway.builder.v1.SolveId.$Properties|null);

                /** StartRequest solve. */
                solve?: (moby.buildkit.v1.SolveRequest.$Properties|null);

                /** StartRequest sessionId. */
                sessionId: string;

                /** StartRequest writeScope. */
                writeScope: string;

                /** StartRequest readScopes. */
                readScopes: string[];

                /** StartRequest timeoutMs. */
                timeoutMs: (number|Long);

                /** StartRequest subject. */
                subject: string;

                /** StartRequest limits. */
                limits?: (slipway.builder.v1.Limits.$Properties|null);

                /**
                 * Encodes the specified StartRequest message. Does not implicitly {@link slipway.builder.v1.StartRequest.verify|verify} messages.
                 * @param message StartRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.StartRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a StartRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.StartRequest & slipway.builder.v1.StartRequest.$Shape} StartRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.StartRequest & slipway.builder.v1.StartRequest.$Shape;
            }

            namespace StartRequest {

                /** Properties of a StartRequest. */
                interface $Properties {

                    /** StartRequest id */
                    id?: (slipway.builder.v1.SolveId.$Properties|null);

                    /** StartRequest solve */
                    solve?: (moby.buildkit.v1.SolveRequest.$Properties|null);

                    /** StartRequest sessionId */
                    sessionId?: (string|null);

                    /** StartRequest writeScope */
                    writeScope?: (string|null);

                    /** StartRequest readScopes */
                    readScopes?: (string[]|null);

                    /** StartRequest timeoutMs */
                    timeoutMs?: (number|Long|null);

                    /** StartRequest subject */
                    subject?: (string|null);

                    /** StartRequest limits */
                    limits?: (slipway.builder.v1.Limits.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a StartRequest. */
                type $Shape = slipway.builder.v1.StartRequest.$Properties;
            }

            /**
             * Properties of a Limits.
             * @deprecated Use slipway.builder.v1.Limits.$Properties instead.
             */
            interface ILimits extends slipway.builder.v1.Limits.$Properties {
            }

            /** Represents a Limits. */
            class Limits {

                /**
                 * Constructs a new Limits.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.Limits.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Limits stepProcesses. */
                stepProcesses: (number|Long);

                /** Limits stepMemory. */
                stepMemory: (number|Long);

                /** Limits unpackedLayerBytes. */
                unpackedLayerBytes: (number|Long);

                /** Limits unpackedLayerEntries. */
                unpackedLayerEntries: (number|Long);

                /** Limits setBy. */
                setBy: string;

                /**
                 * Encodes the specified Limits message. Does not implicitly {@link slipway.builder.v1.Limits.verify|verify} messages.
                 * @param message Limits message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.Limits.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Limits message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.Limits & slipway.builder.v1.Limits.$Shape} Limits
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.Limits & slipway.builder.v1.Limits.$Shape;
            }

            namespace Limits {

                /** Properties of a Limits. */
                interface $Properties {

                    /** Limits stepProcesses */
                    stepProcesses?: (number|Long|null);

                    /** Limits stepMemory */
                    stepMemory?: (number|Long|null);

                    /** Limits unpackedLayerBytes */
                    unpackedLayerBytes?: (number|Long|null);

                    /** Limits unpackedLayerEntries */
                    unpackedLayerEntries?: (number|Long|null);

                    /** Limits setBy */
                    setBy?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Limits. */
                type $Shape = slipway.builder.v1.Limits.$Properties;
            }

            /** SolveState enum. */
            enum SolveState {

                /** UNKNOWN value */
                UNKNOWN = 0,

                /** RUNNING value */
                RUNNING = 1,

                /** SUCCEEDED value */
                SUCCEEDED = 2,

                /** FAILED value */
                FAILED = 3,

                /** CANCELLED value */
                CANCELLED = 4
            }

            /**
             * Properties of a StartResponse.
             * @deprecated Use slipway.builder.v1.StartResponse.$Properties instead.
             */
            interface IStartResponse extends slipway.builder.v1.StartResponse.$Properties {
            }

            /** Represents a StartResponse. */
            class StartResponse {

                /**
                 * Constructs a new StartResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.StartResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** StartResponse state. */
                state: slipway.builder.v1.SolveState;

                /** StartResponse alreadyKnown. */
                alreadyKnown: boolean;

                /**
                 * Encodes the specified StartResponse message. Does not implicitly {@link slipway.builder.v1.StartResponse.verify|verify} messages.
                 * @param message StartResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.StartResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a StartResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.StartResponse & slipway.builder.v1.StartResponse.$Shape} StartResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.StartResponse & slipway.builder.v1.StartResponse.$Shape;
            }

            namespace StartResponse {

                /** Properties of a StartResponse. */
                interface $Properties {

                    /** StartResponse state */
                    state?: (slipway.builder.v1.SolveState|null);

                    /** StartResponse alreadyKnown */
                    alreadyKnown?: (boolean|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a StartResponse. */
                type $Shape = slipway.builder.v1.StartResponse.$Properties;
            }

            /**
             * Properties of an AttachRequest.
             * @deprecated Use slipway.builder.v1.AttachRequest.$Properties instead.
             */
            interface IAttachRequest extends slipway.builder.v1.AttachRequest.$Properties {
            }

            /** Represents an AttachRequest. */
            class AttachRequest {

                /**
                 * Constructs a new AttachRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.AttachRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** AttachRequest id. */
                id?: (slipway.builder.v1.SolveId.$Properties|null);

                /**
                 * Encodes the specified AttachRequest message. Does not implicitly {@link slipway.builder.v1.AttachRequest.verify|verify} messages.
                 * @param message AttachRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.AttachRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an AttachRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.AttachRequest & slipway.builder.v1.AttachRequest.$Shape} AttachRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.AttachRequest & slipway.builder.v1.AttachRequest.$Shape;
            }

            namespace AttachRequest {

                /** Properties of an AttachRequest. */
                interface $Properties {

                    /** AttachRequest id */
                    id?: (slipway.builder.v1.SolveId.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an AttachRequest. */
                type $Shape = slipway.builder.v1.AttachRequest.$Properties;
            }

            /**
             * Properties of a CancelRequest.
             * @deprecated Use slipway.builder.v1.CancelRequest.$Properties instead.
             */
            interface ICancelRequest extends slipway.builder.v1.CancelRequest.$Properties {
            }

            /** Represents a CancelRequest. */
            class CancelRequest {

                /**
                 * Constructs a new CancelRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.CancelRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CancelRequest id. */
                id?: (slipway.builder.v1.SolveId.$Properties|null);

                /** CancelRequest reason. */
                reason: string;

                /**
                 * Encodes the specified CancelRequest message. Does not implicitly {@link slipway.builder.v1.CancelRequest.verify|verify} messages.
                 * @param message CancelRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.CancelRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CancelRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.CancelRequest & slipway.builder.v1.CancelRequest.$Shape} CancelRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.CancelRequest & slipway.builder.v1.CancelRequest.$Shape;
            }

            namespace CancelRequest {

                /** Properties of a CancelRequest. */
                interface $Properties {

                    /** CancelRequest id */
                    id?: (slipway.builder.v1.SolveId.$Properties|null);

                    /** CancelRequest reason */
                    reason?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CancelRequest. */
                type $Shape = slipway.builder.v1.CancelRequest.$Properties;
            }

            /**
             * Properties of a CancelResponse.
             * @deprecated Use slipway.builder.v1.CancelResponse.$Properties instead.
             */
            interface ICancelResponse extends slipway.builder.v1.CancelResponse.$Properties {
            }

            /** Represents a CancelResponse. */
            class CancelResponse {

                /**
                 * Constructs a new CancelResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.CancelResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CancelResponse state. */
                state: slipway.builder.v1.SolveState;

                /**
                 * Encodes the specified CancelResponse message. Does not implicitly {@link slipway.builder.v1.CancelResponse.verify|verify} messages.
                 * @param message CancelResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.CancelResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CancelResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.CancelResponse & slipway.builder.v1.CancelResponse.$Shape} CancelResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.CancelResponse & slipway.builder.v1.CancelResponse.$Shape;
            }

            namespace CancelResponse {

                /** Properties of a CancelResponse. */
                interface $Properties {

                    /** CancelResponse state */
                    state?: (slipway.builder.v1.SolveState|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CancelResponse. */
                type $Shape = slipway.builder.v1.CancelResponse.$Properties;
            }

            /**
             * Properties of a ResultRequest.
             * @deprecated Use slipway.builder.v1.ResultRequest.$Properties instead.
             */
            interface IResultRequest extends slipway.builder.v1.ResultRequest.$Properties {
            }

            /** Represents a ResultRequest. */
            class ResultRequest {

                /**
                 * Constructs a new ResultRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.ResultRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** ResultRequest id. */
                id?: (slipway.builder.v1.SolveId.$Properties|null);

                /** ResultRequest wait. */
                wait: boolean;

                /**
                 * Encodes the specified ResultRequest message. Does not implicitly {@link slipway.builder.v1.ResultRequest.verify|verify} messages.
                 * @param message ResultRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.ResultRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a ResultRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.ResultRequest & slipway.builder.v1.ResultRequest.$Shape} ResultRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.ResultRequest & slipway.builder.v1.ResultRequest.$Shape;
            }

            namespace ResultRequest {

                /** Properties of a ResultRequest. */
                interface $Properties {

                    /** ResultRequest id */
                    id?: (slipway.builder.v1.SolveId.$Properties|null);

                    /** ResultRequest wait */
                    wait?: (boolean|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a ResultRequest. */
                type $Shape = slipway.builder.v1.ResultRequest.$Properties;
            }

            /**
             * Properties of a ResultResponse.
             * @deprecated Use slipway.builder.v1.ResultResponse.$Properties instead.
             */
            interface IResultResponse extends slipway.builder.v1.ResultResponse.$Properties {
            }

            /** Represents a ResultResponse. */
            class ResultResponse {

                /**
                 * Constructs a new ResultResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.ResultResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** ResultResponse state. */
                state: slipway.builder.v1.SolveState;

                /** ResultResponse startedMs. */
                startedMs: (number|Long);

                /** ResultResponse completedMs. */
                completedMs: (number|Long);

                /** ResultResponse outputs. */
                outputs: slipway.builder.v1.Output.$Properties[];

                /** ResultResponse vertices. */
                vertices: number;

                /** ResultResponse hits. */
                hits: number;

                /** ResultResponse slowestSteps. */
                slowestSteps: slipway.builder.v1.Step.$Properties[];

                /** ResultResponse commit. */
                commit: string;

                /** ResultResponse baseImages. */
                baseImages: slipway.builder.v1.BaseImage.$Properties[];

                /** ResultResponse error. */
                error?: (google.rpc.Status.$Properties|null);

                /** ResultResponse fault. */
                fault: string;

                /** ResultResponse reason. */
                reason: string;

                /** ResultResponse hint. */
                hint: string;

                /** ResultResponse exitCode. */
                exitCode: number;

                /** ResultResponse failedStep. */
                failedStep: string;

                /** ResultResponse logTail. */
                logTail: Uint8Array;

                /** ResultResponse committed. */
                committed: boolean;

                /**
                 * Encodes the specified ResultResponse message. Does not implicitly {@link slipway.builder.v1.ResultResponse.verify|verify} messages.
                 * @param message ResultResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.ResultResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a ResultResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.ResultResponse & slipway.builder.v1.ResultResponse.$Shape} ResultResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.ResultResponse & slipway.builder.v1.ResultResponse.$Shape;
            }

            namespace ResultResponse {

                /** Properties of a ResultResponse. */
                interface $Properties {

                    /** ResultResponse state */
                    state?: (slipway.builder.v1.SolveState|null);

                    /** ResultResponse startedMs */
                    startedMs?: (number|Long|null);

                    /** ResultResponse completedMs */
                    completedMs?: (number|Long|null);

                    /** ResultResponse outputs */
                    outputs?: (slipway.builder.v1.Output.$Properties[]|null);

                    /** ResultResponse vertices */
                    vertices?: (number|null);

                    /** ResultResponse hits */
                    hits?: (number|null);

                    /** ResultResponse slowestSteps */
                    slowestSteps?: (slipway.builder.v1.Step.$Properties[]|null);

                    /** ResultResponse commit */
                    commit?: (string|null);

                    /** ResultResponse baseImages */
                    baseImages?: (slipway.builder.v1.BaseImage.$Properties[]|null);

                    /** ResultResponse error */
                    error?: (google.rpc.Status.$Properties|null);

                    /** ResultResponse fault */
                    fault?: (string|null);

                    /** ResultResponse reason */
                    reason?: (string|null);

                    /** ResultResponse hint */
                    hint?: (string|null);

                    /** ResultResponse exitCode */
                    exitCode?: (number|null);

                    /** ResultResponse failedStep */
                    failedStep?: (string|null);

                    /** ResultResponse logTail */
                    logTail?: (Uint8Array|null);

                    /** ResultResponse committed */
                    committed?: (boolean|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a ResultResponse. */
                type $Shape = slipway.builder.v1.ResultResponse.$Properties;
            }

            /**
             * Properties of an Output.
             * @deprecated Use slipway.builder.v1.Output.$Properties instead.
             */
            interface IOutput extends slipway.builder.v1.Output.$Properties {
            }

            /** Represents an Output. */
            class Output {

                /**
                 * Constructs a new Output.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.Output.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Output names. */
                names: string[];

                /** Output digest. */
                digest: string;

                /** Output mediaType. */
                mediaType: string;

                /** Output size. */
                size: (number|Long);

                /** Output platforms. */
                platforms: string[];

                /**
                 * Encodes the specified Output message. Does not implicitly {@link slipway.builder.v1.Output.verify|verify} messages.
                 * @param message Output message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.Output.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an Output message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.Output & slipway.builder.v1.Output.$Shape} Output
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.Output & slipway.builder.v1.Output.$Shape;
            }

            namespace Output {

                /** Properties of an Output. */
                interface $Properties {

                    /** Output names */
                    names?: (string[]|null);

                    /** Output digest */
                    digest?: (string|null);

                    /** Output mediaType */
                    mediaType?: (string|null);

                    /** Output size */
                    size?: (number|Long|null);

                    /** Output platforms */
                    platforms?: (string[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an Output. */
                type $Shape = slipway.builder.v1.Output.$Properties;
            }

            /**
             * Properties of a Step.
             * @deprecated Use slipway.builder.v1.Step.$Properties instead.
             */
            interface IStep extends slipway.builder.v1.Step.$Properties {
            }

            /** Represents a Step. */
            class Step {

                /**
                 * Constructs a new Step.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.Step.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Step name. */
                name: string;

                /** Step durationMs. */
                durationMs: (number|Long);

                /** Step cached. */
                cached: boolean;

                /**
                 * Encodes the specified Step message. Does not implicitly {@link slipway.builder.v1.Step.verify|verify} messages.
                 * @param message Step message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.Step.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Step message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.Step & slipway.builder.v1.Step.$Shape} Step
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.Step & slipway.builder.v1.Step.$Shape;
            }

            namespace Step {

                /** Properties of a Step. */
                interface $Properties {

                    /** Step name */
                    name?: (string|null);

                    /** Step durationMs */
                    durationMs?: (number|Long|null);

                    /** Step cached */
                    cached?: (boolean|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Step. */
                type $Shape = slipway.builder.v1.Step.$Properties;
            }

            /**
             * Properties of a BaseImage.
             * @deprecated Use slipway.builder.v1.BaseImage.$Properties instead.
             */
            interface IBaseImage extends slipway.builder.v1.BaseImage.$Properties {
            }

            /** Represents a BaseImage. */
            class BaseImage {

                /**
                 * Constructs a new BaseImage.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.BaseImage.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** BaseImage name. */
                name: string;

                /** BaseImage digest. */
                digest: string;

                /**
                 * Encodes the specified BaseImage message. Does not implicitly {@link slipway.builder.v1.BaseImage.verify|verify} messages.
                 * @param message BaseImage message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.BaseImage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a BaseImage message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.BaseImage & slipway.builder.v1.BaseImage.$Shape} BaseImage
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.BaseImage & slipway.builder.v1.BaseImage.$Shape;
            }

            namespace BaseImage {

                /** Properties of a BaseImage. */
                interface $Properties {

                    /** BaseImage name */
                    name?: (string|null);

                    /** BaseImage digest */
                    digest?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a BaseImage. */
                type $Shape = slipway.builder.v1.BaseImage.$Properties;
            }

            /**
             * Properties of a CommitRequest.
             * @deprecated Use slipway.builder.v1.CommitRequest.$Properties instead.
             */
            interface ICommitRequest extends slipway.builder.v1.CommitRequest.$Properties {
            }

            /** Represents a CommitRequest. */
            class CommitRequest {

                /**
                 * Constructs a new CommitRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.CommitRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CommitRequest id. */
                id?: (slipway.builder.v1.SolveId.$Properties|null);

                /**
                 * Encodes the specified CommitRequest message. Does not implicitly {@link slipway.builder.v1.CommitRequest.verify|verify} messages.
                 * @param message CommitRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.CommitRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CommitRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.CommitRequest & slipway.builder.v1.CommitRequest.$Shape} CommitRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.CommitRequest & slipway.builder.v1.CommitRequest.$Shape;
            }

            namespace CommitRequest {

                /** Properties of a CommitRequest. */
                interface $Properties {

                    /** CommitRequest id */
                    id?: (slipway.builder.v1.SolveId.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CommitRequest. */
                type $Shape = slipway.builder.v1.CommitRequest.$Properties;
            }

            /**
             * Properties of a CommitResponse.
             * @deprecated Use slipway.builder.v1.CommitResponse.$Properties instead.
             */
            interface ICommitResponse extends slipway.builder.v1.CommitResponse.$Properties {
            }

            /** Represents a CommitResponse. */
            class CommitResponse {

                /**
                 * Constructs a new CommitResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.CommitResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** CommitResponse outputs. */
                outputs: slipway.builder.v1.Output.$Properties[];

                /**
                 * Encodes the specified CommitResponse message. Does not implicitly {@link slipway.builder.v1.CommitResponse.verify|verify} messages.
                 * @param message CommitResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.CommitResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a CommitResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.CommitResponse & slipway.builder.v1.CommitResponse.$Shape} CommitResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.CommitResponse & slipway.builder.v1.CommitResponse.$Shape;
            }

            namespace CommitResponse {

                /** Properties of a CommitResponse. */
                interface $Properties {

                    /** CommitResponse outputs */
                    outputs?: (slipway.builder.v1.Output.$Properties[]|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a CommitResponse. */
                type $Shape = slipway.builder.v1.CommitResponse.$Properties;
            }

            /**
             * Properties of an AcknowledgeRequest.
             * @deprecated Use slipway.builder.v1.AcknowledgeRequest.$Properties instead.
             */
            interface IAcknowledgeRequest extends slipway.builder.v1.AcknowledgeRequest.$Properties {
            }

            /** Represents an AcknowledgeRequest. */
            class AcknowledgeRequest {

                /**
                 * Constructs a new AcknowledgeRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.AcknowledgeRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** AcknowledgeRequest id. */
                id?: (slipway.builder.v1.SolveId.$Properties|null);

                /**
                 * Encodes the specified AcknowledgeRequest message. Does not implicitly {@link slipway.builder.v1.AcknowledgeRequest.verify|verify} messages.
                 * @param message AcknowledgeRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.AcknowledgeRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an AcknowledgeRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.AcknowledgeRequest & slipway.builder.v1.AcknowledgeRequest.$Shape} AcknowledgeRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.AcknowledgeRequest & slipway.builder.v1.AcknowledgeRequest.$Shape;
            }

            namespace AcknowledgeRequest {

                /** Properties of an AcknowledgeRequest. */
                interface $Properties {

                    /** AcknowledgeRequest id */
                    id?: (slipway.builder.v1.SolveId.$Properties|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an AcknowledgeRequest. */
                type $Shape = slipway.builder.v1.AcknowledgeRequest.$Properties;
            }

            /**
             * Properties of an AcknowledgeResponse.
             * @deprecated Use slipway.builder.v1.AcknowledgeResponse.$Properties instead.
             */
            interface IAcknowledgeResponse extends slipway.builder.v1.AcknowledgeResponse.$Properties {
            }

            /** Represents an AcknowledgeResponse. */
            class AcknowledgeResponse {

                /**
                 * Constructs a new AcknowledgeResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.AcknowledgeResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /**
                 * Encodes the specified AcknowledgeResponse message. Does not implicitly {@link slipway.builder.v1.AcknowledgeResponse.verify|verify} messages.
                 * @param message AcknowledgeResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.AcknowledgeResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an AcknowledgeResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.AcknowledgeResponse & slipway.builder.v1.AcknowledgeResponse.$Shape} AcknowledgeResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.AcknowledgeResponse & slipway.builder.v1.AcknowledgeResponse.$Shape;
            }

            namespace AcknowledgeResponse {

                /** Properties of an AcknowledgeResponse. */
                interface $Properties {

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an AcknowledgeResponse. */
                type $Shape = slipway.builder.v1.AcknowledgeResponse.$Properties;
            }

            /**
             * Properties of a LoadRequest.
             * @deprecated Use slipway.builder.v1.LoadRequest.$Properties instead.
             */
            interface ILoadRequest extends slipway.builder.v1.LoadRequest.$Properties {
            }

            /** Represents a LoadRequest. */
            class LoadRequest {

                /**
                 * Constructs a new LoadRequest.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.LoadRequest.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /**
                 * Encodes the specified LoadRequest message. Does not implicitly {@link slipway.builder.v1.LoadRequest.verify|verify} messages.
                 * @param message LoadRequest message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.LoadRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a LoadRequest message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.LoadRequest & slipway.builder.v1.LoadRequest.$Shape} LoadRequest
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.LoadRequest & slipway.builder.v1.LoadRequest.$Shape;
            }

            namespace LoadRequest {

                /** Properties of a LoadRequest. */
                interface $Properties {

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a LoadRequest. */
                type $Shape = slipway.builder.v1.LoadRequest.$Properties;
            }

            /**
             * Properties of a LoadResponse.
             * @deprecated Use slipway.builder.v1.LoadResponse.$Properties instead.
             */
            interface ILoadResponse extends slipway.builder.v1.LoadResponse.$Properties {
            }

            /** Represents a LoadResponse. */
            class LoadResponse {

                /**
                 * Constructs a new LoadResponse.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: slipway.builder.v1.LoadResponse.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** LoadResponse running. */
                running: number;

                /** LoadResponse capacity. */
                capacity: number;

                /** LoadResponse draining. */
                draining: boolean;

                /** LoadResponse builderId. */
                builderId: string;

                /** LoadResponse platforms. */
                platforms: string[];

                /** LoadResponse version. */
                version: string;

                /**
                 * Encodes the specified LoadResponse message. Does not implicitly {@link slipway.builder.v1.LoadResponse.verify|verify} messages.
                 * @param message LoadResponse message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: slipway.builder.v1.LoadResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a LoadResponse message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {slipway.builder.v1.LoadResponse & slipway.builder.v1.LoadResponse.$Shape} LoadResponse
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): slipway.builder.v1.LoadResponse & slipway.builder.v1.LoadResponse.$Shape;
            }

            namespace LoadResponse {

                /** Properties of a LoadResponse. */
                interface $Properties {

                    /** LoadResponse running */
                    running?: (number|null);

                    /** LoadResponse capacity */
                    capacity?: (number|null);

                    /** LoadResponse draining */
                    draining?: (boolean|null);

                    /** LoadResponse builderId */
                    builderId?: (string|null);

                    /** LoadResponse platforms */
                    platforms?: (string[]|null);

                    /** LoadResponse version */
                    version?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a LoadResponse. */
                type $Shape = slipway.builder.v1.LoadResponse.$Properties;
            }
        }
    }
}
