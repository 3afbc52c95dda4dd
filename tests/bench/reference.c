/* A minimal client: connect, send the request, read to the NUL, close, repeat. Replies are not decoded.
 *
 *     cc -O2 -o reference tests/bench/reference.c
 *     ./reference PORT SECONDS IN_FLIGHT < addresses
 *
 * This is the kernel's own cost of a poll, with which bench_polls.py compares the whole path. Prints polls, failures,
 * wall seconds and CPU seconds. Linux only, because of epoll; so is the agent.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_UNITS 1000000
#define BATCH 64

static const char REQUEST[] = "{\"command\":\"stats\",\"new_api\":true}";
static struct sockaddr_in *units;
static size_t unit_count, following;
static char has_asked[1 << 20];
static int poller;

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void read_addresses(int port) {
    char line[64];
    units = calloc(MOST_UNITS, sizeof *units);
    if (!units)
        exit(1);
    while (unit_count < MOST_UNITS && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        units[unit_count].sin_family = AF_INET;
        units[unit_count].sin_port = htons(port);
        if (inet_pton(AF_INET, line, &units[unit_count].sin_addr) == 1)
            unit_count++;
    }
    if (!unit_count) {
        fputs("no addresses\n", stderr);
        exit(1);
    }
}

/* Connect to the next unit; return 1 if the connection is under way, else 0. */
static int begin(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (size_t)fd >= sizeof has_asked)
        exit(1);
    struct sockaddr_in *unit = &units[following++ % unit_count];
    if (connect(fd, (struct sockaddr *)unit, sizeof *unit) && errno != EINPROGRESS) {
        close(fd);
        return 0;
    }
    has_asked[fd] = 0;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    return 1;
}

/* Advance a connection; return 1 when its reply is complete, -1 when it failed, 0 when more is to come. */
static int carry_on(int fd, unsigned events) {
    static char buffer[65536];
    if (!has_asked[fd]) {
        if (events & EPOLLERR || !(events & EPOLLOUT))
            return events & EPOLLERR ? -1 : 0;
        if (send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) < 0)
            return -1;
        has_asked[fd] = 1;
    }
    if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)))
        return 0;
    for (;;) {
        ssize_t size = recv(fd, buffer, sizeof buffer, 0);
        if (size < 0)
            return errno == EAGAIN ? 0 : -1;
        if (size == 0)
            return -1;
        if (memchr(buffer, 0, size))
            return 1;
    }
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    read_addresses(atoi(argv[1]));
    double length = atof(argv[2]);
    int in_flight = 0, wanted = atoi(argv[3]);
    long polls = 0, failures = 0;
    poller = epoll_create1(EPOLL_CLOEXEC);
    double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), began = seconds_of(CLOCK_MONOTONIC);
    double until = began + length, now = began;
    while (now < until) {
        while (in_flight < wanted)
            in_flight += begin();
        struct epoll_event events[BATCH];
        int ready = epoll_wait(poller, events, BATCH, 100);
        for (int index = 0; index < ready; index++) {
            int result = carry_on(events[index].data.fd, events[index].events);
            if (result) {
                close(events[index].data.fd);
                in_flight--;
                if (result > 0)
                    polls++;
                else
                    failures++;
            }
        }
        now = seconds_of(CLOCK_MONOTONIC);
    }
    printf("%ld %ld %.6f %.6f\n", polls, failures, now - began, seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return 0;
}
