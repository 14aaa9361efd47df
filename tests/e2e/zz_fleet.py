from tests.e2e.conftest import *
from tests.e2e.sessions import *
from tests.e2e.verdicts import verdict
from OpenSSL import SSL
import time
def test_fleet(edge, ca_a):
    own = ca_a.intermediate("Own")
    t=time.time()
    ss=[session_of(edge,"a.test",own.issue(f"d{n}"),SSL.TLS1_3_VERSION)[0] for n in range(1200)]
    print("full", time.time()-t)
    bad=0
    for s in ss:
        for _ in range(4):
            r=resume(edge,"a.test",s); assert r.resumed
            bad+= verdict(r.answer)!=(200,"")
    print("wrong refusals", bad, "of", 4*len(ss), time.time()-t)
