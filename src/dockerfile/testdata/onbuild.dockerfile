FROM scratch
COPY busybox /bin/busybox
ONBUILD COPY . /onbuild
ONBUILD RUN trigger $PATH
