/** A first stage with a shell and users, from Debian's static busybox. */
export const BASE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY passwd group /etc/
ENV BASE=1 PATH=/bin
`;

/** Stages on the base by name: what is built of each must be what the real daemon builds. */
export const STAGES: Readonly<Record<string, string>> = {
  run: 'RUN echo hi > /a && mkdir -m 750 /d && ln -s a /l && ln /a /h',
  'small-files': ['hello', '$i', 'content of file number $i in a directory of many']
    .map(
      (text, at) =>
        `RUN mkdir /m${at} && cd /m${at} && for i in $(seq 2000); do echo ${text} > f$i; done; touch -d @1500000000 * .`,
    )
    .join('\n'),
  'run-nothing': 'RUN true\nRUN ["/bin/true"]',
  'run-remove': 'RUN mkdir -p /x/y && echo 1 > /x/y/f && echo 2 > /x/y/g\nRUN rm /x/y/f\nRUN rm -r /x',
  'run-replace':
    'RUN mkdir -p /x/y && echo 1 > /x/y/h && echo 2 > /x/y/i\nRUN rm -rf /x/y && mkdir /x/y && echo 3 > /x/y/h',
  'run-modes': 'RUN touch /a && chmod 4755 /a && chown 7:8 /a && mkdir -m 1777 /t && chmod 700 /etc',
  'run-user': 'USER bob\nRUN id > /tmp-id || true\nUSER root\nRUN id > /id',
  'run-user-number': 'USER 7:50\nWORKDIR /w\nRUN id > id',
  'run-env': `ARG A=1\nENV B=\${A}2\nRUN echo $A $B > /e`,
  'run-heredoc': 'RUN <<EOF\necho one > /1\necho two > /2\nEOF',
  'run-shebang': 'RUN <<EOF\n#!/bin/sh\necho three > /3\nEOF',
  'run-heredoc-file': 'RUN cat <<a > /x\n$BASE\na',
  'run-mounts':
    'RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --mount=type=bind,source=d,target=/b cp /b/g /g && touch /c/x /t/y',
  'run-mount-rw': 'RUN --mount=type=bind,source=d,target=/b,rw touch /b/new && ls /b > /list',
  'run-mount-from': 'RUN --mount=type=bind,from=base,source=/etc,target=/b cp /b/passwd /p',
  'run-network': 'RUN --network=none ls /sys/class/net > /n; true',
  'run-shell': 'SHELL ["/bin/ash", "-ec"]\nRUN echo x > /x\nCMD y',
  copy: 'COPY f /f\nCOPY f g\nCOPY d /d\nCOPY d /d2/\nCOPY . /all/',
  'copy-several': 'COPY f s.sh /to/\nCOPY d/* /star/\nCOPY [fs]* /class/',
  'copy-links': 'COPY links /links\nCOPY links/to-f /followed\nCOPY links/to-d /dir',
  'copy-over': 'RUN mkdir -p /o/d && echo old > /o/f\nCOPY f /o/f\nCOPY d /o/d',
  'copy-chown':
    'COPY --chown=bob f /a/b/f\nCOPY --chown=7:staff d /d\nCOPY --chown=bob:50 s.sh /\nCOPY --chown=5 f /five/f',
  'copy-chmod':
    'COPY --chmod=600 f /a/b/f\nCOPY --chmod=4755 d /d\nCOPY --chmod=u=rwx,go=rX f s.sh d /m/\nCOPY --chmod=go-r f /n/f',
  'copy-chmod-chown': 'COPY --chmod=711 --chown=7:8 d /x/d/',
  'copy-link': 'COPY --link f /deep/a/f\nCOPY --link --chown=5 f /deep/b/f\nCOPY --link --chown=5:6 d /d/',
  'copy-link-chmod': 'COPY --link --chmod=640 --chown=5 d /deep/d/',
  'copy-link-over':
    'RUN ln -s /real /via && mkdir -m 700 /real /kept && chown 7:8 /kept && mkdir /was\nCOPY --link f /via/f\nCOPY --link f /kept/f\nCOPY --link f /was',
  'copy-link-from': 'COPY --link --from=base /etc /copied',
  'copy-from': 'COPY --from=base /etc/passwd /p\nCOPY --from=base /etc /e/\nCOPY --from=base /bin/busybox /',
  'copy-parents': 'COPY --parents d/g d/sub/./deep/h /p/\nCOPY --parents --chown=7 d/sub/*/h /q/',
  'copy-exclude': 'COPY --exclude=*.sh --exclude=d/sub . /x/',
  'copy-heredoc': 'COPY <<a <<b /x/\n$BASE\na\nplain\nb\nCOPY --chmod=700 <<"c" /c\n$BASE\nc',
  'copy-nothing': 'RUN mkdir /x\nCOPY empty /x/\nCOPY nosuch* f /y/',
  add: 'ADD f /f\nADD d /d/\nADD --chown=7:8 --chmod=600 f /x/f',
  'add-tar': 'ADD a.tar /t/\nADD a.tgz /z/\nADD --chown=5:6 a.tar /o/\nADD --unpack=false a.tar /plain/',
  'add-times': 'ADD times.tar /t/',
  'add-link': 'ADD --link --chown=5 a.tar /deep/t/\nADD --link f /deep/f',
  workdir: 'WORKDIR /a/b\nWORKDIR c\nWORKDIR /etc\nWORKDIR ../x/',
  'workdir-user': 'USER bob\nWORKDIR /home/bob/x\nUSER 7:8\nWORKDIR y',
  'workdir-root': 'WORKDIR /',
  config: 'LABEL a=b "c d"="e f"\nEXPOSE 80 53/udp 1000-1002\nVOLUME /v ["/w"]\nSTOPSIGNAL SIGTERM\nUSER bob:staff',
  'config-cmd': 'CMD echo "a b" $BASE\nENTRYPOINT ["/bin/sh", "-c"]',
  'config-health':
    'HEALTHCHECK --interval=5s --timeout=1m --start-period=2s --start-interval=1s --retries=3 CMD ["/bin/true"]',
  'config-health-none': 'HEALTHCHECK NONE\nSTOPSIGNAL 9',
  'config-signal-number': 'STOPSIGNAL -1',
  'config-onbuild': 'ONBUILD RUN echo x\nONBUILD COPY f /f\nMAINTAINER me',
  'config-env': `ENV A=1 B="two words" C='$A' D=\${A:-x} E=\${F:+y} G=\\$A\nENV H legacy form here\nENV A=$H`,
  'config-args': 'ARG A B=2\nARG TARGETARCH\nARG C=$B$TARGETARCH\nLABEL x=$A$B$C',
  'config-volume-json': 'VOLUME ["/a", "/b c"]\nENTRYPOINT exec x\nSHELL ["/bin/sh", "-xc"]\nENTRYPOINT y',
};

/** Dockerfiles that do not build, by name: the text after `failed to solve: ` must be the real daemon's. */
export const FAILURES: Readonly<Record<string, string>> = {
  'exit code': 'RUN exit 3',
  'no program': 'RUN []',
  'no such program': 'RUN ["/nosuch"]',
  'no such user': 'USER nobody\nRUN id',
  'negative user': 'USER -1\nRUN id',
  'great user': 'USER 5000000000\nRUN id',
  'no such file': 'COPY nosuch /',
  'no such file from': 'COPY --from=base /nosuch /',
  'over a directory': 'RUN mkdir -p /x/f\nCOPY f /x/',
  'links in a circle': 'RUN ln -s l /l\nCOPY f /l/x',
  'into a file': 'COPY f /f\nCOPY f /f/g',
  'directory over a file': 'COPY f /f\nCOPY d /f',
  'link by name': 'COPY --link --chown=bob f /',
  'bad chmod': 'COPY --chmod=99999 f /',
  'unknown flag': 'COPY --nosuch f /',
  'unknown instruction': 'FOO bar',
  'unknown stage': 'COPY --from=9 f /',
  'missing argument': 'COPY f',
  'empty env': 'ENV =x',
  'bad expose': 'EXPOSE abc',
  'bad signal': 'STOPSIGNAL nope',
  'bad mount': 'RUN --mount=type=nosuch,target=/x true',
  'mount without target': 'RUN --mount=type=bind true',
  'cache without its source': 'RUN --mount=type=cache,source=/nosuch,target=/x true',
  'mount without its source': 'RUN --mount=type=bind,from=base,source=/nosuch,target=/x true',
  'mount of what is below a file': 'RUN --mount=type=bind,from=base,source=/etc/passwd/x,target=/x true',
  'memory with a source': 'RUN --mount=type=tmpfs,source=/y,target=/x true',
  'secret for a root': 'RUN --mount=type=secret,id=s,target=/ true',
  'mount with an empty key': 'RUN --mount==x true',
  'mount that says nothing': 'RUN --mount= true',
  'empty network': 'RUN --network= true',
  'control characters': 'RUN ["/bin/false", "a\\u0000b\\u001b\\u007f\\u00a0\\u00e9\\u2028"]',
  'upper case': 'COPY --from=FOO f /',
  'two tags': 'COPY --from=a:BAR:x f /',
  'no digest': 'COPY --from=a@sha256:00 f /',
  'platform of many parts': 'FROM --platform=linux/amd64/../../x base',
  'stage that is no name': 'FROM base AS B_-c',
  'secret that is not there': 'RUN --mount=type=secret,id=nosuch,required true',
  'ssh that is not there': 'RUN --mount=type=ssh,required true',
  'bad substitution': `RUN true\nENV A=\${B!x}`,
  'required variable': `ENV A=\${NOPE:?is needed}`,
  'bad healthcheck': 'HEALTHCHECK --interval=x CMD true',
  'duration without unit': 'HEALTHCHECK --interval=5 CMD true',
  'unknown unit': 'HEALTHCHECK --interval=5d CMD true',
  'retries that are no number': 'HEALTHCHECK --retries=x CMD true',
  'bad onbuild': 'ONBUILD FROM x',
  'bad platform': 'FROM --platform=bogus base',
  'empty base': 'ARG X\nFROM $X',
  'host network': 'RUN --network=host true',
  insecure: 'RUN --security=insecure true',
};

/** Dockerfiles whose checks find something. */
export const LINTED = `FROM base AS Upper
ENV password=x
CMD a
CMD b
WORKDIR rel
LABEL a b
MAINTAINER x
FROM --platform=linux/amd64 base As other
RUN echo $UNDEFINED
EXPOSE 80/TCP
copy f /
FROM \${NOPE:-base} AS other
`;
