// What a Pi's kernel would answer, for a program that runs in a mount namespace with a Pi's files; loaded by LD_PRELOAD.
//
// Files can be put anywhere by a mount; ioctls cannot. rppal asks /dev/gpiochip0 for its label before it touches a pin,
// and talks to I2C chips through ioctl, write and read. The shim answers these three, and writes down what goes to PWM
// files and to the I2C bus, in order. It knows nothing of our program: it stands where the kernel would.
//
//   GPIO_GET_CHIPINFO              -> the label in $SHIM_CHIP_LABEL (pinctrl-bcm2711, ...)
//   I2C_FUNCS, _SLAVE, _TIMEOUT .. -> yes
//   write, read on /dev/i2c-*      -> a chip with registers: bytes at 0x40 (PCA9685), 16 bits elsewhere (INA219, INA226)
//   write on /sys/class/pwm/*      -> goes on to the file, and is written down
//   nanosleep, clock_nanosleep     -> sleeps, and is written down if $SHIM_SLEEPS is set: "sleep 40 ms"
//
// $SHIM_LOG, if set: one line a write: "/sys/class/pwm/pwmchip0/pwm0/duty_cycle 1500000" or "i2c 40 06 00 00 70 01";
// "i2c timeout 20 ms" for each bus that was opened and given a limit.
// $SHIM_I2C_FAIL: the path of a file; while it is there, the bus fails with EREMOTEIO.
// $SHIM_LOADED_MV: what the battery has left, in millivolts, while channel 0 of the PWM chip does not have 1500 us.
// Sources: linux/gpio.h, linux/i2c-dev.h; NXP PCA9685 rev. 4 7.3.1.1 (power-up state); TI INA219 8.6.3.1 (shunt: 10 uV),
// 8.6.3.2 (bus voltage: 4 mV in bits 3 to 15, bit 1: measured).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GPIO_GET_CHIPINFO 0x8044B401ul
#define I2C_RETRIES 0x0701ul
#define I2C_TIMEOUT 0x0702ul
#define I2C_SLAVE 0x0703ul
#define I2C_SLAVE_FORCE 0x0706ul /* what rppal uses, under the other one's name */
#define I2C_TENBIT 0x0704ul
#define I2C_FUNCS 0x0705ul
#define I2C_PEC 0x0708ul
#define I2C_FUNC_I2C 1ul

struct chip_info { char name[32]; char label[32]; unsigned lines; };

static unsigned char slave_of[1024], bytes[256] = {[0x00] = 0x11, [0x01] = 0x04, [0xFE] = 0x1E};
static unsigned char pointer_of[128];
/* An INA219 that sees 7.4 V and 100 mA over 0.1 ohm, measured (bit 1); more current while the motor turns. */
#define BUS(mv) (unsigned short)((mv) / 4 << 3 | 2)
#define SHUNT(ma) (unsigned short)((ma) * 10)
static unsigned short words[128][256] = {[0x41] = {[0x01] = SHUNT(100), [0x02] = BUS(7400)}};

static const char *path_of(int fd) {
    static __thread char path[256];
    char link[64];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    path[length > 0 ? length : 0] = 0;
    return path;
}

static int is_i2c(const char *path) { return strncmp(path, "/dev/i2c-", 9) == 0; }

static void note(const char *line) {
    static ssize_t (*real)(int, const void *, size_t);
    static int log = -1;
    int saved = errno;
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (log < 0 && getenv("SHIM_LOG")) log = open(getenv("SHIM_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (log >= 0 && real(log, line, strlen(line)) < 0) perror("shim log");
    errno = saved;
}

static int bus_fails(void) {
    const char *file = getenv("SHIM_I2C_FAIL");
    if (file && access(file, F_OK) == 0) { errno = EREMOTEIO; return 1; }
    return 0;
}

static ssize_t i2c_write(int fd, const unsigned char *data, size_t count) {
    if (bus_fails()) return -1;
    int slave = slave_of[fd & 1023] & 127;
    char line[512];
    int at = snprintf(line, sizeof line, "i2c %02x", slave);
    for (size_t n = 0; n < count && at < 500; n++) at += snprintf(line + at, sizeof line - at, " %02x", data[n]);
    snprintf(line + at, sizeof line - at, "\n");
    note(line);
    if (count > 0) pointer_of[slave] = data[0];
    if (slave == 0x40)
        for (size_t n = 1; n < count; n++) bytes[(data[0] + n - 1) & 255] = data[n];
    else if (count == 3)
        words[slave][data[0]] = (unsigned short)(data[1] << 8 | data[2]);
    return (ssize_t)count;
}

static ssize_t i2c_read(int fd, unsigned char *data, size_t count) {
    if (bus_fails()) return -1;
    int slave = slave_of[fd & 1023] & 127;
    unsigned char pointer = pointer_of[slave];
    for (size_t n = 0; n < count; n++)
        data[n] = slave == 0x40 ? bytes[(pointer + n) & 255] : words[slave][pointer] >> (n % 2 ? 0 : 8) & 255;
    return (ssize_t)count;
}

/* What the motor does to its battery: any pulse but 1500 us at channel 0 draws 900 mA, at $SHIM_LOADED_MV. */
static void load(const char *path, const char *text, int length) {
    const char *millivolts = getenv("SHIM_LOADED_MV");
    if (!millivolts || !strstr(path, "/pwm0/duty_cycle")) return;
    int turns = strncmp(text, "1500000", (size_t)length) != 0;
    words[0x41][0x01] = turns ? SHUNT(900) : SHUNT(100);
    words[0x41][0x02] = turns ? BUS(atoi(millivolts)) : BUS(7400);
}

static ssize_t noted(int fd, const void *data, size_t count) {
    if (!getenv("SHIM_LOG")) return 0;
    const char *path = path_of(fd);
    if (strncmp(path, "/sys/class/", 11) == 0) {
        char line[512];
        int length = (int)count;
        while (length > 0 && ((const char *)data)[length - 1] == '\n') length--;
        load(path, data, length);
        snprintf(line, sizeof line, "%s %.*s\n", path, length, (const char *)data);
        note(line);
    }
    return 0;
}

ssize_t write(int fd, const void *data, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (is_i2c(path_of(fd))) return i2c_write(fd, data, count);
    noted(fd, data, count);
    return real(fd, data, count);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    noted(fd, data, count);
    return real(fd, data, count, offset);
}

ssize_t read(int fd, void *data, size_t count) {
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "read");
    return is_i2c(path_of(fd)) ? i2c_read(fd, data, count) : real(fd, data, count);
}

static void slept(const struct timespec *span) {
    char line[64];
    if (!getenv("SHIM_SLEEPS")) return;
    snprintf(line, sizeof line, "sleep %ld ms\n", span->tv_sec * 1000l + span->tv_nsec / 1000000l);
    note(line);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *span, struct timespec *rest) {
    static int (*real)(clockid_t, int, const struct timespec *, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_nanosleep");
    if (!(flags & TIMER_ABSTIME)) slept(span);
    return real(clock, flags, span, rest);
}

int nanosleep(const struct timespec *span, struct timespec *rest) {
    static int (*real)(const struct timespec *, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "nanosleep");
    slept(span);
    return real(span, rest);
}

int ioctl(int fd, unsigned long request, ...) {
    static int (*real)(int, unsigned long, void *);
    if (!real) real = dlsym(RTLD_NEXT, "ioctl");
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (request == GPIO_GET_CHIPINFO && getenv("SHIM_CHIP_LABEL")) {
        struct chip_info *info = argument;
        memset(info, 0, sizeof *info);
        snprintf(info->name, sizeof info->name, "gpiochip0");
        snprintf(info->label, sizeof info->label, "%s", getenv("SHIM_CHIP_LABEL"));
        info->lines = 54;
        return 0;
    }
    if (is_i2c(path_of(fd)))
        switch (request) {
        case I2C_FUNCS: *(unsigned long *)argument = I2C_FUNC_I2C; return 0;
        case I2C_SLAVE: case I2C_SLAVE_FORCE: slave_of[fd & 1023] = (unsigned char)(unsigned long)argument; return 0;
        case I2C_TIMEOUT: {
            char line[64];
            snprintf(line, sizeof line, "i2c timeout %lu0 ms\n", (unsigned long)argument);
            note(line);
            return 0;
        }
        case I2C_RETRIES: case I2C_TENBIT: case I2C_PEC: return 0;
        default: errno = ENOTTY; return -1;
        }
    return real(fd, request, argument);
}
