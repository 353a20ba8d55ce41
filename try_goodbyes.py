import sys, signal, traceback
sys.path.insert(0,'/tmp/w/dev/tests'); sys.path.insert(0,'/tmp/w/dev')
from hypothesis import seed, settings, HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test
import importlib
which, first, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
mods={'good':('tests.session.protocol.test_durable_goodbyes','DurableGoodbyes'),'pairs':('tests.session.protocol.test_durable_pairs','DurableSessions'),'res':('tests.session.protocol.test_resuming_pairs','Sessions'),'eng':('tests.session.protocol.test_engine_pairs','Sessions')}
m,c=mods[which]
cls=getattr(importlib.import_module(m),c)
def alarm(*_):
    traceback.print_stack(_[1]); sys.stderr.flush(); import os; os._exit(3)
signal.signal(signal.SIGALRM, alarm)
for s in range(first, first+n):
    signal.alarm(300)
    try:
        run_state_machine_as_test(seed(s)(cls), settings=settings(max_examples=500, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], database=None))
    except BaseException as e:
        print(which, s, 'FAIL', type(e), str(e)[:500]); traceback.print_exc(); break
    print(which, s, 'ok', flush=True)
