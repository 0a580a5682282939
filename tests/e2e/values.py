"""Values of packed rows as the text that PostgreSQL prints for them, written from net/PROTOCOL.md and PostgreSQL's manual
alone: a second opinion on core/sql/cast.c."""

import decimal
import math
import struct

NAMES = {1: "boolean", 2: "smallint", 3: "integer", 4: "bigint", 5: "real", 6: "double precision", 7: "numeric",
         8: "text", 9: "varchar", 10: "char", 11: "bytea", 12: "date", 13: "timestamp", 14: "timestamptz", 15: "uuid",
         16: "interval", 17: "json", 18: "jsonb"}
ARRAY = 32
WIDTHS = {1: 1, 2: 2, 3: 4, 4: 8, 5: 4, 6: 8, 7: 17, 8: 8, 9: 8, 10: 8, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 16, 17: 8,
          18: 8, **{ARRAY + kind: 8 for kind in NAMES}}
INTEGERS = {2: "<h", 3: "<i", 4: "<q"}
DAY_US = 86400 * 1000000


def type_name(number, scale, length):
    """As format_type of PostgreSQL, a little shorter: varchar(8), numeric(12,2)."""
    if number > ARRAY:
        return type_name(number - ARRAY, 0, 0) + "[]"
    name = NAMES.get(number, "type %d" % number)
    if number == 7 and length:
        return "numeric(%d,%d)" % (length, scale)
    if number in (9, 10) and length:
        return "%s(%d)" % (name, length)
    return name


def float_text(value, digits):
    """digits: where PostgreSQL changes to an exponent, 15 for double precision, 6 for real."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    shortest = repr(value)
    if digits == 6:
        tries = ("%.*g" % (n, value) for n in range(1, 10))
        shortest = next(t for t in tries if abs(float(t)) < 3.4028236e38 and
                        struct.pack("<f", float(t)) == struct.pack("<f", value))
    d = decimal.Decimal(shortest).as_tuple()
    text = "".join(map(str, d.digits)).rstrip("0") or "0"
    sign = "-" if d.sign else ""
    exponent = len(d.digits) - 1 + d.exponent if value else 0
    if exponent < -4 or exponent >= digits:
        return "%s%s%se%s%02d" % (sign, text[0], "." + text[1:] if text[1:] else "", "-" if exponent < 0 else "+",
                                  abs(exponent))
    return sign + format(decimal.Decimal((0, tuple(map(int, text)), exponent - len(text) + 1)), "f")


def date_parts(days):
    """(year, month, day) of days since 2000-01-01, Gregorian without end; year 0 is 1 BC."""
    z = days + 730425  # since 0000-03-01
    era, day_of_era = divmod(z, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return year_of_era + 400 * era + (month <= 2), month, day


def dated(days, rest=""):
    year, month, day = date_parts(days)
    text = "%04d-%02d-%02d" % (year if year > 0 else 1 - year, month, day)
    return text + rest + ("" if year > 0 else " BC")


def clock(us):
    """HH:MM:SS with the fraction that there is."""
    seconds, fraction = divmod(us, 1000000)
    text = "%02d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
    return text + (".%06d" % fraction).rstrip("0") if fraction else text


def infinite(value, bits):
    if value == (1 << bits) - 1:
        return "infinity"
    return "-infinity" if value == -(1 << bits) else None


def timestamp_text(us, zone):
    days, rest = divmod(us, DAY_US)
    return infinite(us, 63) or dated(days, " " + clock(rest) + zone)


def interval_text(us, days, months):
    parts, before = [], False
    years, months = int(math.copysign(abs(months) // 12, months)), int(math.copysign(abs(months) % 12, months))
    for value, unit in ((years, "year"), (months, "mon"), (days, "day")):
        if value:
            parts.append("%s%d %s%s" % ("+" if before and value > 0 else "", value, unit, "" if value == 1 else "s"))
            before = value < 0
    if us or not parts:
        parts.append(("-" if us < 0 else "+" if before else "") + clock(abs(us)))
    return " ".join(parts)


def numeric_text(slot):
    if slot[16] == 255:
        return "NaN"
    coefficient = decimal.Decimal(int.from_bytes(slot[:16], "little", signed=True))
    with decimal.localcontext() as c:
        c.prec = 60
        return format(coefficient.scaleb(-slot[16]), "f")


def slot_text(kind, length, slot, row):
    """The text of a slot that is not NULL; row: where the tail of texts is found."""
    if kind == 1:
        return "t" if slot[0] else "f"
    if kind in INTEGERS:
        return str(struct.unpack(INTEGERS[kind], slot)[0])
    if kind in (5, 6):
        return float_text(struct.unpack("<f" if kind == 5 else "<d", slot)[0], 6 if kind == 5 else 15)
    if kind == 7:
        return numeric_text(slot)
    if kind in (8, 9, 10, 11, 17, 18) or kind > ARRAY:
        at, size = struct.unpack("<II", slot)
        data = row[at:at + size]
        if kind == 11:
            return "\\x" + data.hex()
        return data.decode().ljust(length) if kind == 10 else data.decode()
    if kind == 12:
        days, = struct.unpack("<i", slot)
        return infinite(days, 31) or dated(days)
    if kind in (13, 14):
        return timestamp_text(struct.unpack("<q", slot)[0], "+00" if kind == 14 else "")
    if kind == 15:
        h = slot.hex()
        return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))
    if kind == 16:
        return interval_text(*struct.unpack("<qii", slot))
    raise ValueError("type %d" % kind)


def row_texts(types, data, at):
    """(texts and Nones, where the row ends) of the packed row at data[at:]. types: (number, scale, length) each."""
    size, = struct.unpack_from("<I", data, at)
    row = data[at:at + size]
    slot = 4 + (len(types) + 7) // 8
    values = []
    for i, (kind, _, length) in enumerate(types):
        width = WIDTHS[kind]
        null = row[4 + i // 8] >> (i % 8) & 1
        values.append(None if null else slot_text(kind, length, row[slot:slot + width], row))
        slot += width
    return tuple(values), at + size
