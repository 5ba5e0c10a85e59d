#include "service.h"

int main(int argc, char **argv)
{
    return app_run(argc, argv, &auth_app);
}
