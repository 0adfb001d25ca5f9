"""The people and groups of the test domain, loaded into a domain that nobody serves yet. See tests/samba."""

import sys

import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

GLOBAL, LOCAL, UNIVERSAL, SECURITY = 2, 4, 8, 0x80000000
NORMAL, DISABLED, NO_PASSWORD, NEVER_EXPIRES = 0x200, 0x2, 0x20, 0x10000

settings = LoadParm()
settings.load(sys.argv[1])
sam = SamDB(url=settings.private_path("sam.ldb"), session_info=system_session(), lp=settings)
base = str(sam.domain_dn())


def unit(name):
    dn = "OU=%s,%s" % (name, base)
    sam.add({"dn": dn, "objectClass": "organizationalUnit"})
    return dn


def user(name, cn=None, control=NORMAL | NO_PASSWORD, password=None, **more):
    dn = "CN=%s,%s" % (cn or name, people)
    entry = {"dn": dn, "objectClass": "user", "sAMAccountName": name, "userAccountControl": str(control)}
    entry["userPrincipalName"] = name + "@ad.example.org"
    sam.add({**entry, **more})
    if password:
        sam.setpassword("(sAMAccountName=%s)" % ldb.binary_encode(name), password)
    return dn


def group(name, members=(), kind=GLOBAL | SECURITY, cn=None):
    dn = "CN=%s,%s" % (cn or name, groups)
    entry = {"dn": dn, "objectClass": "group", "sAMAccountName": name}
    # The number is signed in the directory.
    entry["groupType"] = str(kind - (1 << 32) if kind & SECURITY else kind)
    if members:
        entry["member"] = list(members)
    sam.add(entry)
    return dn


def change(dn, attribute, value, how=ldb.FLAG_MOD_REPLACE):
    sam.modify(ldb.Message.from_dict(sam, {"dn": dn, attribute: value}, how))


sam.transaction_start()
people, groups = unit("People"), unit("Groups")
user("reader", control=NORMAL | NEVER_EXPIRES, password="Reader.Passw0rd")
alice = user("alice", "Alice Example", control=NORMAL, password="Alice.Passw0rd")
bob = user("bob", control=NORMAL | DISABLED | NO_PASSWORD)
carol = user("carol", accountExpires="130000000000000000")
locked = user("locked", lockoutTime="133000000000000000")
user("loner")
user("Mixed.Case")
jurgen, lilei = user("jürgen", "Jürgen Müßig"), user("李雷")
doe = user("jdoe", 'Doe\\, John \\+ \\"Jr\\" (ops)*')
dave, many = user("dave"), user("many")

# leaf, mid, top and on to groups of the other scopes.
leaf = group("leaf", [alice, bob, carol, locked])
mid = group("mid", [leaf])
top = group("top", [mid])
universal = group("universal", [top], UNIVERSAL | SECURITY)
group("local", [universal], LOCAL | SECURITY)
group("mail only", [alice], GLOBAL)
first = group("first", [alice])
second = group("second", [first])
change(first, "member", [second], ldb.FLAG_MOD_ADD)
group("ops prod (all)", [doe], cn="ops\\, prod (all)*")
group("Entwickler Süd", [jurgen, lilei])
for number in range(250):
    group("many%03d" % number, [many])
dbas = group("dbas", [dave])
sid = sam.schema_format_value("objectSid", sam.search(dbas, ldb.SCOPE_BASE, attrs=["objectSid"])[0]["objectSid"][0])
change(dave, "primaryGroupID", sid.decode().rsplit("-", 1)[1])
# A lockout is for two hundred years, so that the one of years ago still counts.
change(base, "lockoutDuration", "-60000000000000000")
sam.transaction_commit()
