FROM scratch
ADD *.tar /
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN ln -s /usr/lib/go-1.19/bin/go /bin/go && mkdir -p /tmp /root && chmod 1777 /tmp
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CGO_ENABLED=0 GOFLAGS=-buildvcs=false
