FROM scratch
COPY busybox /bin/busybox
ENV PATH=/usr/bin:/bin HOME=/root
WORKDIR /srv
USER 1001
LABEL base=yes
EXPOSE 1234
CMD ["/bin/sh"]
