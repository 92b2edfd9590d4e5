import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.cim.CIMArgument;
import javax.cim.CIMDataType;
import javax.cim.CIMInstance;
import javax.cim.CIMObjectPath;
import javax.cim.CIMProperty;
import javax.cim.UnsignedInteger16;
import javax.cim.UnsignedInteger32;
import javax.cim.UnsignedInteger64;
import javax.security.auth.Subject;
import javax.wbem.WBEMException;
import javax.wbem.client.EnumerateResponse;
import javax.wbem.client.PasswordCredential;
import javax.wbem.client.UserPrincipal;
import javax.wbem.client.WBEMClient;
import javax.wbem.client.WBEMClientConstants;
import javax.wbem.client.WBEMClientFactory;
import javax.wbem.listener.WBEMListener;
import javax.wbem.listener.WBEMListenerFactory;

/**
 * What docs/consoles.md tells a console to do, done by the Java client of SBLIM (JSR 48), in the order of the page. Each
 * line of output is what a step was answered.
 *
 * <p>Arguments: URL, user and password (both empty where a certificate is the login), the port of the listener.
 */
public final class Console {
    private static final String INTEROP = "root/interop";
    private static final String GUESTS = "root/virt";
    private static final String[] ALL = null;

    private final WBEMClient client;

    private Console(URI server, String user, String password) throws WBEMException {
        Subject subject = new Subject();
        if (!user.isEmpty()) {
            subject.getPrincipals().add(new UserPrincipal(user));
            subject.getPrivateCredentials().add(new PasswordCredential(password));
        }
        client = WBEMClientFactory.getClient(WBEMClientConstants.PROTOCOL_CIMXML);
        client.initialize(
                new CIMObjectPath(server.getScheme(), server.getHost(), "" + server.getPort(), null, null, null),
                subject,
                new Locale[] {Locale.US});
    }

    public static void main(String[] arguments) throws Exception {
        Console console = new Console(URI.create(arguments[0]), arguments[1], arguments[2]);
        console.find();
        CIMObjectPath guest = console.walk();
        console.readMany();
        console.subscribe(guest, Integer.parseInt(arguments[3]));
        console.operate(guest);
        console.misunderstand();
        console.client.close();
        System.exit(0);
    }

    private void find() throws WBEMException {
        for (String name : new String[] {INTEROP, "interop", "root/PG_InterOp"}) {
            tell("server", texts(instances(name, "CIM_ObjectManager"), "ElementName"));
        }
        tell("namespaces", texts(instances(INTEROP, "CIM_Namespace"), "Name"));
        for (CIMInstance profile : instances(INTEROP, "CIM_RegisteredProfile")) {
            if (text(profile, "RegisteredName").equals("System Virtualization")) {
                CIMObjectPath path = profile.getObjectPath();
                tell("conforming", names(associated(path, "CIM_ElementConformsToProfile")));
                CIMArgument<?>[] answer = new CIMArgument<?>[1];
                client.invokeMethod(path, "GetCentralInstances", new CIMArgument<?>[0], answer);
                tell("central", names(Arrays.asList((CIMObjectPath[]) answer[0].getValue())));
            }
        }
    }

    private CIMObjectPath walk() throws WBEMException {
        CIMObjectPath host = instances(GUESTS, "Virt_HostSystem").get(0).getObjectPath();
        CIMObjectPath guest = follow(host, "Virt_HostedDependency").get(0);
        follow(guest, "CIM_SystemDevice");
        CIMObjectPath settings = follow(guest, "CIM_SettingsDefineState").get(0);
        follow(settings, "CIM_VirtualSystemSettingDataComponent");
        follow(host, "CIM_HostedResourcePool");
        follow(host, "CIM_HostedService");
        follow(guest, "CIM_MetricForME");
        return guest;
    }

    private List<CIMObjectPath> follow(CIMObjectPath from, String association) throws WBEMException {
        List<CIMObjectPath> found = associated(from, association);
        List<CIMInstance> whole = list(client.associatorInstances(from, association, null, null, null, false, ALL));
        List<CIMInstance> references = list(client.referenceInstances(from, association, null, false, ALL));
        for (CIMObjectPath path : found) {
            client.getInstance(path, false, false, ALL);
        }
        tell(association, found.size() + " " + whole.size() + " " + references.size());
        return found;
    }

    private void readMany() throws WBEMException {
        CIMObjectPath devices = path(GUESTS, "CIM_LogicalDevice");
        EnumerateResponse<CIMInstance> part =
                client.enumerateInstances(devices, true, false, ALL, null, null, null, false, new UnsignedInteger32(2));
        List<CIMInstance> pulled = list(part.getResponses());
        while (!part.isEnd()) {
            part = client.getInstancesWithPath(devices, part.getContext(), new UnsignedInteger32(2));
            pulled.addAll(list(part.getResponses()));
        }
        tell("pulled", pulled.size() + " of " + instances(GUESTS, "CIM_LogicalDevice").size());
        String query = "SELECT Name, EnabledState FROM Virt_ComputerSystem WHERE EnabledState = 2";
        tell("WQL", texts(list(client.execQuery(path(GUESTS, "Virt_ComputerSystem"), query, "WQL")), "Name"));
        tell("CQL", texts(list(client.execQuery(path(GUESTS, "Virt_ComputerSystem"), query, "DMTF:CQL")), "Name"));
        CIMArgument<?>[] answer = new CIMArgument<?>[1];
        Object code = client.invokeMethod(service(), "GetSummary", new CIMArgument<?>[0], answer);
        tell("GetSummary", code + " " + texts(Arrays.asList((CIMInstance[]) answer[0].getValue()), "Name"));
    }

    private void subscribe(CIMObjectPath guest, int port) throws Exception {
        BlockingQueue<CIMInstance> told = new LinkedBlockingQueue<>();
        WBEMListener listener = WBEMListenerFactory.getListener(WBEMClientConstants.PROTOCOL_CIMXML);
        listener.addListener((url, indication) -> told.add(indication), port, "http", "127.0.0.1");
        CIMObjectPath destination = client.createInstance(instance(
                "CIM_ListenerDestinationCIMXML",
                key("Name", "console"),
                property("Destination", CIMDataType.STRING_T, "http://127.0.0.1:" + port)));
        CIMObjectPath filter = client.createInstance(instance(
                "CIM_IndicationFilter",
                key("Name", "console"),
                property("QueryLanguage", CIMDataType.STRING_T, "DMTF:CQL"),
                property("SourceNamespaces", CIMDataType.STRING_ARRAY_T, new String[] {GUESTS}),
                property(
                        "Query",
                        CIMDataType.STRING_T,
                        "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA Virt_ComputerSystem")));
        CIMObjectPath subscription = client.createInstance(instance(
                "CIM_IndicationSubscription",
                new CIMProperty<>("Filter", new CIMDataType("CIM_IndicationFilter"), filter, true, false, null),
                new CIMProperty<>(
                        "Handler", new CIMDataType("CIM_ListenerDestinationCIMXML"), destination, true, false, null)));
        tell("pause", requestState(guest, 9));
        CIMInstance indication = told.poll(60, TimeUnit.SECONDS);
        CIMInstance source = (CIMInstance) indication.getPropertyValue("SourceInstance");
        CIMInstance previous = (CIMInstance) indication.getPropertyValue("PreviousInstance");
        tell(
                "told",
                text(source, "Name") + " " + text(previous, "EnabledState") + " " + text(source, "EnabledState"));
        for (CIMObjectPath path : List.of(subscription, filter, destination)) {
            client.deleteInstance(path);
        }
        listener.removeListener(port);
        tell("resume", requestState(guest, 2));
    }

    private void operate(CIMObjectPath guest) throws WBEMException {
        String prefix = guest.getObjectName().split("_")[0];
        CIMInstance settings = instance(
                prefix + "_VirtualSystemSettingData",
                property("ElementName", CIMDataType.STRING_T, "from-java"),
                property("VirtualSystemIdentifier", CIMDataType.STRING_T, "from-java"));
        CIMInstance memory = instance(
                prefix + "_MemResourceAllocationSettingData",
                property("ResourceType", CIMDataType.UINT16_T, new UnsignedInteger16(4)),
                property("AllocationUnits", CIMDataType.STRING_T, "byte*2^20"),
                property("VirtualQuantity", CIMDataType.UINT64_T, new UnsignedInteger64("64")));
        CIMArgument<?>[] answer = new CIMArgument<?>[3];
        Object code = client.invokeMethod(
                service(),
                "DefineSystem",
                new CIMArgument<?>[] {
                    new CIMArgument<>("SystemSettings", CIMDataType.OBJECT_T, settings),
                    new CIMArgument<>("ResourceSettings", CIMDataType.OBJECT_ARRAY_T, new CIMInstance[] {memory})
                },
                answer);
        CIMObjectPath made = null;
        for (CIMArgument<?> argument : answer) {
            if (argument != null && argument.getName().equals("ResultingSystem")) {
                made = (CIMObjectPath) argument.getValue();
            }
        }
        tell("define", code + " " + made.getKeyValue("Name"));
        CIMInstance found = list(client.associatorInstances(
                        made, "CIM_SettingsDefineState", "CIM_VirtualSystemSettingData", null, null, false, ALL))
                .get(0);
        CIMInstance allocation = list(client.associatorInstances(
                        found.getObjectPath(), null, prefix + "_MemResourceAllocationSettingData", null, null, false, ALL))
                .get(0);
        tell("memory", text(allocation, "VirtualQuantity") + " " + text(allocation, "AllocationUnits"));
        CIMInstance more = allocation.deriveInstance(new CIMProperty<?>[] {
            property("VirtualQuantity", CIMDataType.UINT64_T, new UnsignedInteger64("98304"))
        });
        CIMArgument<?> changed =
                new CIMArgument<>("ResourceSettings", CIMDataType.OBJECT_ARRAY_T, new CIMInstance[] {more});
        tell("modify", client.invokeMethod(service(), "ModifyResourceSettings", only(changed), new CIMArgument<?>[2]));
        tell("modified", text(client.getInstance(allocation.getObjectPath(), false, false, ALL), "VirtualQuantity"));
        CIMArgument<?> gone = new CIMArgument<>("AffectedSystem", new CIMDataType("CIM_ComputerSystem"), made);
        tell("destroy", client.invokeMethod(service(), "DestroySystem", only(gone), new CIMArgument<?>[1]));
    }

    private void misunderstand() {
        for (String wrong : new String[] {"Virt_Nonsense", "Virt_ComputerSystem"}) {
            try {
                CIMProperty<?>[] keys = {key("CreationClassName", wrong), key("Name", "gone")};
                client.getInstance(new CIMObjectPath(null, null, null, GUESTS, wrong, keys), false, false, ALL);
            } catch (WBEMException error) {
                tell("error", error.getID());
            }
        }
    }

    private List<CIMObjectPath> associated(CIMObjectPath from, String association) throws WBEMException {
        return list(client.associatorNames(from, association, null, null, null));
    }

    private CIMObjectPath service() throws WBEMException {
        return list(client.enumerateInstanceNames(path(GUESTS, "Virt_VirtualSystemManagementService"))).get(0);
    }

    private Object requestState(CIMObjectPath guest, int state) throws WBEMException {
        CIMArgument<?> wanted = new CIMArgument<>("RequestedState", CIMDataType.UINT16_T, new UnsignedInteger16(state));
        return client.invokeMethod(guest, "RequestStateChange", only(wanted), new CIMArgument<?>[1]);
    }

    private List<CIMInstance> instances(String namespace, String name) throws WBEMException {
        return list(client.enumerateInstances(path(namespace, name), true, false, false, ALL));
    }

    private static CIMArgument<?>[] only(CIMArgument<?> argument) {
        return new CIMArgument<?>[] {argument};
    }

    private static CIMObjectPath path(String namespace, String name) {
        return new CIMObjectPath(null, null, null, namespace, name, null);
    }

    private static CIMInstance instance(String name, CIMProperty<?>... properties) {
        return new CIMInstance(path(INTEROP, name), properties);
    }

    private static CIMProperty<String> key(String name, String value) {
        return new CIMProperty<>(name, CIMDataType.STRING_T, value, true, false, null);
    }

    private static <T> CIMProperty<T> property(String name, CIMDataType type, T value) {
        return new CIMProperty<>(name, type, value);
    }

    private static String text(CIMInstance instance, String property) {
        return String.valueOf(instance.getPropertyValue(property));
    }

    private static List<String> texts(List<CIMInstance> instances, String property) {
        List<String> found = new ArrayList<>();
        for (CIMInstance each : instances) {
            found.add(text(each, property));
        }
        return found;
    }

    private static List<String> names(List<CIMObjectPath> paths) {
        List<String> found = new ArrayList<>();
        for (CIMObjectPath each : paths) {
            found.add(each.getObjectName());
        }
        return found;
    }

    private static <T> List<T> list(Iterator<T> those) {
        List<T> found = new ArrayList<>();
        those.forEachRemaining(found::add);
        return found;
    }

    private static void tell(String step, Object answer) {
        System.out.println(step + ": " + answer);
    }
}
