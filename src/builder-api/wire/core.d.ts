import * as $protobuf from "protobufjs/minimal.js";
import Long = require("long");

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
